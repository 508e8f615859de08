"""One look at the lab, for all who look at the page: nothing here acts, takes a lock or writes anything."""

from collections.abc import Iterator
from typing import NamedTuple

from spark_mode.enforcement.presence import guard_runs
from spark_mode.errors import SparkModeError
from spark_mode.frozen import Frozen
from spark_mode.journal.journal import UnfinishedSwitch
from spark_mode.page.asked import asked_for_mode, names_of_sets
from spark_mode.page.page_lab import PageLab
from spark_mode.page.steps import Running, running
from spark_mode.planning.mode import long_runs, violations
from spark_mode.planning.observed import Hold, Memory, Observed
from spark_mode.planning.pressure import memory_victims
from spark_mode.planning.request import requests_for_modes
from spark_mode.reporting.history import Event, history
from spark_mode.reporting.status import status
from spark_mode.reporting.status_model import Status
from spark_mode.session.session import Session
from spark_mode.sharing.lock import holder_says, is_switching, user_name

LAST = 10
"""How many requests of the history are shown at once."""


class Fault(Frozen):
    """Why there is nothing to show, in the command's own words; `code` is the exit code that belongs to it."""

    message: str
    hint: str | None
    code: int


class ModeOffer(Frozen):
    """A mode: how it is asked for, what it would stop and free in bytes, or why not."""

    request: str
    query: str
    current: bool = False
    stops: tuple[str, ...] = ()
    frees: int = 0
    refused: str | None = None


class Violation(Frozen):
    """What runs against the rules, and the two that do."""

    text: str
    names: tuple[str, str]


class Look(Frozen):
    """What was seen. With a `fault` only the memory is known, and perhaps who switches. Sizes in bytes.

    `puzzle` is what the journal has that is not understood. `stoppable` are the services that the lab may stop; `victims` is
    what a guard would stop first if memory ran out, `guarded` whether one runs.
    """

    lab: str
    memory: Memory
    fault: Fault | None = None
    status: Status | None = None
    modes: tuple[ModeOffer, ...] = ()
    workloads: tuple[str, ...] = ()
    history: tuple[Event, ...] = ()
    running: Running | None = None
    cut_off: UnfinishedSwitch | None = None
    puzzle: str | None = None
    violations: tuple[Violation, ...] = ()
    stoppable: tuple[str, ...] = ()
    holds: tuple[Hold, ...] = ()
    headroom: int = 0
    floor: int = 0
    victims: tuple[str, ...] = ()
    guarded: bool = False
    long_runs: tuple[str, ...] = ()
    can_restore: bool = False

    @property
    def mine(self) -> bool:
        """Whether all that is held is held by the user of this page."""
        return bool(self.holds) and all(one.by == user_name() and one.process is None for one in self.holds)


class Seen(NamedTuple):
    """What was seen, and the lab as it was opened for that; None where it could not be."""

    look: Look
    session: Session | None


def look(lab: PageLab) -> Seen:
    """Open the lab and look; what prevents it is in the look."""
    try:
        session = lab.open()
    except SparkModeError as error:
        return Seen(without_engine(None, lab, fault_of(error)), None)
    try:
        return Seen(_look(session, lab), session)
    except SparkModeError as error:
        return Seen(without_engine(session, lab, fault_of(error)), session)


def without_engine(session: Session | None, lab: PageLab, fault: Fault) -> Look:
    """Return what is known of a lab all the same: its modes, which cannot be asked for, the memory, and who switches.

    Of a lab that was never opened that is nothing.
    """
    if session is None:
        return Look(lab=lab.folder, memory=Memory(total=None, available=None), fault=fault)
    requests = requests_for_modes(session.rules, session.project)
    return Look(
        lab=lab.folder,
        memory=session.machine.memory(),
        fault=fault,
        modes=tuple(ModeOffer(request=str(one), query=asked_for_mode(one, session).query) for one in requests),
        workloads=names_of_sets(session.rules),
        headroom=session.rules.limits.headroom,
        floor=session.rules.limits.floor,
        running=_running(session),
    )


def is_switching_now(session: Session) -> bool:
    """Whether somebody holds the lock; not known is no."""
    try:
        return is_switching(session.directories.locks)
    except SparkModeError:
        return False


def fault_of(error: SparkModeError) -> Fault:
    """Return an error as a page shows it."""
    return Fault(message=error.message, hint=error.hint, code=error.exit_code)


def _look(session: Session, lab: PageLab) -> Look:
    switching = _running(session)  # first: what ends while the rest is looked at was not cut off
    observed = session.observe()
    seen, rules = status(session, observed), session.rules
    known = session.journal_state
    return Look(
        lab=f"{lab.folder} ({', '.join(session.project.names)})",
        memory=observed.memory,
        status=seen,
        modes=tuple(_modes(session, seen)),
        workloads=names_of_sets(rules),
        history=tuple(history(session)[-LAST:]),
        running=switching,
        cut_off=None if switching else session.cut_off,
        puzzle=None if switching else known.puzzle,
        violations=tuple(_violations(observed, session)),
        stoppable=observed.active_services,
        holds=observed.held,
        headroom=rules.limits.headroom,
        floor=rules.limits.floor,
        victims=tuple(one.service for one in memory_victims(observed, session.project, rules, 1, ())),
        guarded=guard_runs(session),
        long_runs=long_runs(observed.active, rules),
        can_restore=known.state.before is not None,
    )


def _running(session: Session) -> Running | None:
    """Return the switch that runs, with its steps where its journal can be read."""
    try:
        said = holder_says(session.directories.locks)
    except SparkModeError:
        return None
    if said is None:
        return None
    try:
        session.reload_journal()
        return running(said, session.journal_state.unfinished)
    except SparkModeError:
        return running(said, None)


def _modes(session: Session, seen: Status) -> Iterator[ModeOffer]:
    costs = {one.request: one for one in seen.changes}
    for request in requests_for_modes(session.rules, session.project):
        text = str(request)
        query = asked_for_mode(request, session).query
        cost = costs.get(text)
        if cost is None:
            yield ModeOffer(request=text, query=query, current=True)
        else:
            yield ModeOffer(request=text, query=query, stops=cost.stops, frees=cost.frees, refused=cost.refused)


def _violations(observed: Observed, session: Session) -> Iterator[Violation]:
    for one in violations(observed, session.rules):
        yield Violation(text=str(one), names=(one.one.name, one.other.name))
