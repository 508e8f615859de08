"""What somebody is about to ask for: the plan as it is now, with what it stops and since when, and what may be confirmed."""

from typing import Any, NamedTuple

from spark_mode.errors import SparkModeError, UsageFault
from spark_mode.journal.journal import UnfinishedSwitch
from spark_mode.page.asked import AskedSwitch
from spark_mode.page.look import Fault, fault_of
from spark_mode.page.page_lab import PageLab
from spark_mode.planning.digest import digest_of
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Plan, Stop
from spark_mode.planning.step_words import rows_said
from spark_mode.session.session import Session

TITLES = {"to": "Switch to {}", "up": "Add {}", "stop": "Stop {}", "restore": "Back to what ran before", "recover": "Recover"}
BUTTONS = {"to": "Switch", "up": "Start it", "stop": "Stop", "restore": "Bring it back", "recover": "Recover"}
ACTIONS = {"to": "switch", "up": "switch", "stop": "stop", "restore": "restore", "recover": "recover"}


class Stopped(NamedTuple):
    """What a plan stops, and since when it has been running: the engine's time, ISO 8601."""

    name: str
    since: str


class Proposal(NamedTuple):
    """A plan to be confirmed. Without a `plan`, where there is none to be made, `mistake` or `cut_off` says why.

    `may` says that it can be confirmed, `may_end` that something can come back afterwards.
    """

    asked: AskedSwitch
    plan: Plan | None = None
    digest: str = ""
    stopped: tuple[Stopped, ...] = ()
    cut_off: str | None = None
    mistake: Fault | None = None
    may: bool = False
    may_end: bool = False
    headroom: int = 0

    def values(self) -> dict[str, Any]:
        """Return what a template needs."""
        names, verb = " ".join(self.asked.names) or "everything", self.asked.verb
        steps = rows_said(self.plan.steps, self.plan.projects) if self.plan else []
        rows = [{"number": one[0], "action": one[1], "subject": one[2], "cause": one[3], "mark": "to come"} for one in steps]
        words = {"title": TITLES[verb].format(names), "button": BUTTONS[verb], "action": ACTIONS[verb]}
        asks = {one.service for one in self.plan.stops_training} if self.plan else set()
        return {**self._asdict(), **words, "rows": rows, "asks": asks}


def proposal(lab: PageLab, asked: AskedSwitch) -> Proposal:
    """Return the plan of what is asked for, or why there is none."""
    try:
        session = lab.open()
        found = _recovery(session, asked) if asked.verb == "recover" else _switch(session, asked)
        return found._replace(headroom=session.rules.limits.headroom)
    except SparkModeError as error:
        return Proposal(asked, mistake=fault_of(error))


def _switch(session: Session, asked: AskedSwitch) -> Proposal:
    plan = session.plan(asked.request(session))
    rules, may = session.rules, bool(plan.steps) and plan.refusal is None and plan.observed
    ends = asked.verb == "to" and any(rules.runs_to_end(rules.of_service(one)) for one in plan.target)
    stopped = _stopped(plan, session.observe()) if may else ()
    return Proposal(asked, plan, digest_of(plan), stopped, may=may, may_end=may and ends)


def _recovery(session: Session, asked: AskedSwitch) -> Proposal:
    """Return the plan by which a recovery would finish what was cut off. Raises UsageFault where there is nothing to recover."""
    cut_off = session.cut_off
    if cut_off is None:
        said = session.journal_state.puzzle or (
            "a command has ended: what ran before comes back" if session.owes_restore else None
        )
        if said is None:
            raise UsageFault("no switch was cut off", "there is nothing to recover")
        return Proposal(asked, cut_off=said, may=True)
    seen = session.observe()
    return Proposal(asked, _finishing(session, cut_off, seen), cut_off=str(cut_off), may=True)


def _finishing(session: Session, cut_off: UnfinishedSwitch, seen: Observed) -> Plan | None:
    if cut_off.back or cut_off.began.request.verb == "run":
        return None
    try:
        return session.plan_for(cut_off.began.request, seen)
    except SparkModeError:
        return None


def _stopped(plan: Plan, seen: Observed) -> tuple[Stopped, ...]:
    going = {id_ for step in plan.steps if isinstance(step, Stop) for id_ in step.containers}
    return tuple(Stopped(one.service or one.name, one.started_at) for one in seen.active if one.id in going)
