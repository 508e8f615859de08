"""What the lab is in, in a heading; what else there is to know, with what can be done about it. Pure."""

from collections.abc import Iterator
from typing import Literal

from spark_mode.errors import EngineUnavailable
from spark_mode.frozen import Frozen
from spark_mode.journal.journal import NO_CHANGE
from spark_mode.lab.few import few
from spark_mode.lab.size import gb_text
from spark_mode.page.asked import AskedSwitch
from spark_mode.page.look import Fault, Look, Violation
from spark_mode.page.steps import Running
from spark_mode.planning.mode import mode_said
from spark_mode.planning.step_words import doing
from spark_mode.reporting.history import Event
from spark_mode.reporting.status_model import Status

Tone = Literal["calm", "busy", "bad", "warn"]
NAMES = 5


class Offer(Frozen):
    """Something that can be done: `query` is that of its plan; without one it is the release of what is held."""

    text: str
    query: str = ""


class Notice(Frozen):
    """What there is to know, its cause, and what can be done; `lines` are the command's own words, `log` the end of one."""

    tone: Tone
    title: str
    lines: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    offers: tuple[Offer, ...] = ()


class Heading(Frozen):
    """The state in a line, and what belongs to it. `state` is its name for the page's own use; `detail` goes on behind it.

    `shows_gpu` says that how busy the GPU is stands there.
    """

    state: str
    tone: Tone
    text: str
    detail: str = ""
    since: str | None = None
    notices: tuple[Notice, ...] = ()
    shows_gpu: bool = False


def heading(look: Look, falling: float = 0.0) -> Heading:
    """Return the state that matters most as the heading, and the others beside it; memory is `falling` by bytes a second."""
    found = [*_states(look, falling), _plain(look)]
    first, *others = found
    notices = (*first.notices, *(notice for one in others[:-1] for notice in _as_notices(one)))
    return first.model_copy(update={"notices": (*notices, *_held(look), *_afterwards(look))})


def _as_notices(state: Heading) -> Iterator[Notice]:
    yield from state.notices or (Notice(tone=state.tone, title=state.text, lines=(state.detail,) if state.detail else ()),)


def _states(look: Look, falling: float) -> Iterator[Heading]:
    if look.running:
        yield _switching(look.running)
    if look.fault:
        yield _fault(look.fault)
        return
    if look.cut_off or look.puzzle:
        yield _cut_off(look)
    if look.violations:
        yield _violation(look)
    if not look.running and (failed := _failed(look)):
        yield failed
    if low := _low(look, falling):
        yield low


def _fault(fault: Fault) -> Heading:
    away = fault.code == EngineUnavailable.exit_code
    text = "Docker does not answer; what runs is not known" if away else "The lab cannot be read"
    lines = (*fault.message.splitlines(), *((f"→ {fault.hint}",) if fault.hint else ()))
    return Heading(state="away" if away else "fault", tone="bad", text=text, notices=(_told("bad", text, lines),))


def _told(tone: Tone, title: str, lines: tuple[str, ...], *offers: Offer) -> Notice:
    return Notice(tone=tone, title=title, lines=lines, offers=offers)


def _switching(running: Running) -> Heading:
    holder, steps = running.holder, running.steps
    planned = sum(1 for one in steps if one.number)
    now = next((one for one in steps if one.mark == "running"), None)
    where = ""
    if now and now.number and not running.back:
        where = f"step {now.number} of {planned}, {now.action} {now.subject}"
    elif now:
        where = f"on the way back, {now.action} {now.subject}"
    text = f"Switching: {holder.request}" if holder.request else "A switch is running"
    said = f"by {holder.user} (process {holder.pid})" if holder.user else ""
    notice = Notice(tone="busy", title=text, lines=tuple(filter(None, (said,))))
    detail = where or (f"now: {holder.doing}" if holder.doing else "")
    return Heading(state="switching", tone="busy", text=text, detail=detail, since=holder.since or None, notices=(notice,))


def _cut_off(look: Look) -> Heading:
    offer = Offer(text="See what recovering does", query=AskedSwitch("recover").query)
    if look.cut_off is None:
        return Heading(
            state="recover", tone="bad", text="A switch may be unfinished", notices=(_told("bad", look.puzzle or "", (), offer),)
        )
    one = look.cut_off
    at = doing(one.steps[-1]) if one.steps else "the beginning"
    text = f"The switch to {one.began.request} was cut off during: {at}"
    lines = (f"asked for by {one.began.by} at {one.began.at}", *(("it was left at once by a second signal",) if one.left else ()))
    return Heading(state="recover", tone="bad", text=text, notices=(_told("bad", text, lines, offer),))


def _violation(look: Look) -> Heading:
    """Return that two sides run, with the two ways to end that: one for each side, where there are just two."""
    sides = _sides(look.violations)
    ways = tuple(
        Offer(text=f"Stop {few(side, NAMES)}", query=AskedSwitch("stop", tuple(side)).query)
        for side in sides
        if all(name in look.stoppable for name in side)
    )
    lines = tuple(dict.fromkeys(one.text for one in look.violations))
    notice = Notice(tone="bad", title="It has to be one of them:", lines=lines, offers=ways)
    if not ways:
        notice = notice.model_copy(update={"title": "None of it is the lab's to stop:"})
    text = f"Two sides run: {' beside '.join(few(side, NAMES) for side in sides)}"
    return Heading(state="violation", tone="bad", text=text, notices=(notice,))


def _sides(found: tuple[Violation, ...]) -> tuple[list[str], list[str]]:
    """Return what runs against the rules in two parts: what is in every conflict, or else in the first, and all else."""
    names = list(dict.fromkeys(name for one in found for name in one.names))
    common = [name for name in names if all(name in one.names for one in found)][:1] or [names[0]]
    return common, [name for name in names if name not in common]


def _failed(look: Look) -> Heading | None:
    """Return the state after a switch that failed, until something is switched again."""
    last = next((one for one in reversed(look.history) if one.outcome not in NO_CHANGE), None)
    if last is None or last.outcome not in ("rolled-back", "failed") or look.status is None:
        return None
    runs = "run" if look.status.mode == "custom" and len(_active(look.status)) > 1 else "runs"
    now = "nothing runs" if look.status.mode == "idle" else f"{_mode(look.status)} {runs}"
    text = f"{last.request} was not done; {now}"
    cause, log = cause_and_log(last)
    offers = _offers_after(last, look)
    notice = Notice(tone="bad", title=text, lines=cause, log=log, offers=offers)
    state = "rolled-back" if last.outcome == "rolled-back" else "failed"
    return Heading(state=state, tone="bad", text=text, since=last.at, notices=(notice,))


def _offers_after(last: Event, look: Look) -> tuple[Offer, ...]:
    again = next((one for one in look.modes if one.request == last.request and not one.refused), None)
    offers = [Offer(text=f"Try {last.request} again", query=again.query)] if again else []
    if last.outcome == "failed" and look.can_restore:
        offers.append(Offer(text="Bring back what ran before", query=AskedSwitch("restore").query))
    return tuple(offers)


def cause_and_log(event: Event) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what the history says of an end: the sentences, and the lines of a log that stand among them, indented."""
    lines = (event.note or "").splitlines()
    return tuple(one for one in lines if not one.startswith("  ")), tuple(one for one in lines if one.startswith("  "))


def _low(look: Look, falling: float) -> Heading | None:
    """Return that memory is low: less than the headroom is left. What a guard stops, and when, is said beside it."""
    available = look.memory.available
    if available is None or not look.headroom or available >= look.headroom:
        return None
    text = f"{gb_text(available)} of memory left" + (", falling" if falling < 0 else "")
    return Heading(state="low", tone="warn", text=text, notices=(_told("warn", text, tuple(_what_goes(look, falling))),))


def _what_goes(look: Look, falling: float) -> Iterator[str]:
    floor, left = gb_text(look.floor), (look.memory.available or 0) - look.floor
    yield f"the headroom is {gb_text(look.headroom)}, and below the floor of {floor} something has to go"
    soon = f", in about {left / -falling:.0f} s" if falling < 0 < left else ""
    names = few(look.victims, NAMES)
    if not names:
        yield "nothing of the lab could be stopped for it"
    elif look.guarded:
        yield f"a guard runs: at the floor{soon} it stops {names}"
    else:
        yield f"no guard runs: nothing is stopped by itself{soon}; {names} would go first (spark-mode guard)"


def _held(look: Look) -> Iterator[Notice]:
    for one in look.holds:
        until = "until that process has ended" if one.process else "until it ends, or is released"
        title = f"{one.request} is held by {one.by}, {until}"
        offers = (Offer(text="Release it"),) if look.mine and one == look.holds[0] else ()
        yield Notice(tone="warn", title=title, lines=(f"since {one.since}",), offers=offers)


def _afterwards(look: Look) -> Iterator[Notice]:
    """Say what comes back when a long run or a command has ended."""
    seen = look.status
    if seen is None:
        return
    if seen.owed:
        offer = Offer(text="Bring it back", query=AskedSwitch("recover").query)
        yield _told("warn", "A command has ended: what ran before comes back with the next switch, or by a guard", (), offer)
    elif seen.restores:
        yield _told("calm", "When it has ended, what ran before comes back", ("by a guard, or who waits for it",))


def _plain(look: Look) -> Heading:
    if look.status is None:
        return Heading(state="fault", tone="bad", text="Nothing is known of the lab")
    mode = look.status.mode
    if mode == "idle":
        free = "" if look.memory.available is None else f", {gb_text(look.memory.available)} free"
        return Heading(state="idle", tone="calm", text=f"Idle{free}")
    state = "long-run" if look.long_runs else "mode"
    busy = _busy(look.status)
    return Heading(state=state, tone="calm", text=_mode(look.status), detail=busy, since=look.status.since, shows_gpu=bool(busy))


def _busy(seen: Status) -> str:
    """Return what the GPU does; how busy it is by the highest of a few looks, where that was looked at."""
    load = seen.gpu if seen.utilisation is None else seen.gpu.model_copy(update={"utilisation": seen.utilisation})
    return f"GPU {load}" if load.is_known else ""


def _mode(seen: Status) -> str:
    """Return the mode; of what is none of the modes of the rules what it is made of."""
    if seen.mode != "custom":
        return mode_said(seen.mode)
    names = _active(seen)
    return few(names, NAMES) if names else mode_said(seen.mode)


def _active(seen: Status) -> list[str]:
    return [one.service for one in seen.services if one.age is not None]
