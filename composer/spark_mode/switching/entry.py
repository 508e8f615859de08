"""What one request writes into the journal: who asked for what, when, and how it ended."""

import os

from spark_mode.errors import ConfigurationError
from spark_mode.journal.journal import JournalFailed, UnfinishedSwitch, refusal
from spark_mode.journal.measurements import add_measurements
from spark_mode.journal.records import Began, Ended, Held, Outcome, PassedOver, Record, RestoreAfter
from spark_mode.journal.state import State
from spark_mode.journal.understanding import require_understood
from spark_mode.planning.conflict_policy import Victim
from spark_mode.planning.mode import mode_services
from spark_mode.planning.observed import LEASED, Hold, Observed
from spark_mode.planning.plan import Plan, Step
from spark_mode.planning.request import Request
from spark_mode.session.session import Session
from spark_mode.sharing.lock import Lock, switch_lock, user_name
from spark_mode.switching.report import SwitchOptions, Watcher
from spark_mode.switching.switch import Switch
from spark_mode.switching.switch_log import SwitchLog
from spark_mode.switching.two_sides import TwoSides
from spark_mode.switching.untouched import untouched
from spark_mode.wall_time import now


class Entry:
    """One request in the journal of a lab. `switch` is its id; `seconds` have passed since it was asked for.

    `has_begun` says that it began a switch, or took one up: from then on the lab is not what it was for certain. `enforced` is
    what the rules had it stop at once, whatever became of the rest.
    """

    def __init__(self, session: Session, watcher: Watcher) -> None:
        self._session, self._watcher = session, watcher
        self.has_begun = False
        self.enforced: list[Victim] = []
        self.switch, self.at, self.by = os.urandom(6).hex(), now(), user_name()
        self._begun = 0.0

    def starts(self) -> None:
        """Have the seconds count from now."""
        self._begun = self._session.clock.now()

    @property
    def seconds(self) -> float:
        """The seconds since the request was made."""
        return round(self._session.clock.now() - self._begun, 3)

    def began(self, request: Request, observed: Observed, steps: tuple[Step, ...], options: SwitchOptions) -> None:
        """Write what a switch means to do. Raises ConfigurationError when that is not on the disk for certain."""
        ran = tuple(one for one in observed.active if one.state != LEASED)
        before = Observed(containers=ran, models=observed.models, loaded=observed.loaded, memory=observed.memory)
        self.intend(
            Began(
                switch=self.switch,
                at=self.at,
                by=self.by,
                request=request,
                steps=steps,
                before=before,
                restore=options.restore_on_failure,
                inputs=self._session.inputs,
                hold=options.hold,
                then=options.then,
            )
        )

    def intend(self, record: Record) -> None:
        """Write what must be on the disk before anything is touched. Raises ConfigurationError."""
        journal = self._session.journal
        self.has_begun = True
        try:
            journal.append(record)
        except JournalFailed as error:
            self.has_begun = False
            message = f"the journal cannot be written: {error}; {untouched(self.enforced, 'was touched')}"
            raise ConfigurationError(message, error.fix) from None

    def record(self, record: Record, quietly: bool = False) -> None:
        """Write what is true already; that it cannot be written is a warning."""
        try:
            self._session.journal.append(record)
        except JournalFailed as error:
            if not quietly:
                self._watcher.warned(f"{error}; this is not in the history")

    def keep_intent(self, request: Request, plan: Plan, seen: Observed, asked: Began | SwitchOptions, switch: str | None) -> None:
        """Write down what holds from now on: `--hold`, and `--then restore` after this switch; before its end is written."""
        self._hold(request, plan, seen, asked)
        if asked.then:
            self.follow(switch)

    def follow(self, switch: str | None) -> None:
        """Write that what ran before comes back when the training of a switch has ended."""
        self.record(RestoreAfter(switch=switch))

    def _hold(self, request: Request, plan: Plan, seen: Observed, asked: Began | SwitchOptions) -> None:
        """Write down what is held: what was and still runs, and with --hold what was just asked for."""
        holds = [one for one in seen.held if one.process is None]
        if asked.hold:
            containers = tuple(one.id for name in plan.target if (one := seen.container_of(name)) and one.active)
            hold = Hold(
                request=str(request),
                by=asked.by if isinstance(asked, Began) else self.by,
                since=now(),
                services=plan.target,
                containers=containers,
                models=plan.target_models,
            )
            holds = [one for one in holds if one.services != hold.services] + [hold]
        if asked.hold or len(holds) != len(self._session.journal_state.holds):
            self.record(Held(holds=tuple(holds)))

    def ended(self, request: str, outcome: Outcome, note: str | None = None, state: State | None = None) -> Ended:
        """Return how this request ended."""
        return Ended(
            switch=self.switch,
            at=self.at,
            by=self.by,
            request=request,
            outcome=outcome,
            seconds=self.seconds,
            note=note,
            state=state,
        )

    def ended_for(self, cut_off: UnfinishedSwitch, outcome: Outcome, note: str, state: State | None = None) -> Ended:
        """Return how a switch that was cut off ended by this request."""
        began = cut_off.began
        mine = self.ended(str(began.request), outcome, note, state)
        return mine.model_copy(update={"switch": began.switch, "at": began.at, "by": began.by})

    def refused(self, request: str, note: str) -> None:
        """Write that a request was refused, but not the same refusal again and again."""
        if refusal(self.by, request, note) not in self._session.journal_state.refused:
            self.record(self.ended(request, "refused", note=note), quietly=True)

    def pass_over(self, count: int) -> None:
        """Write that records which are not understood count no more. Raises ConfigurationError as `intend` does."""
        self.intend(PassedOver(at=self.at, by=self.by, count=count))

    def drop_gone(self, observed: Observed) -> None:
        """Write that nothing is owed to containers that are gone. Raises EngineUnavailable."""
        session, there = self._session, {one.id for one in observed.containers}
        for owed in session.journal_state.policies.values():
            if owed.container not in there and session.docker.container(owed.container) is None:
                self.record(owed.model_copy(update={"given_back": True}))

    def gives_up(self, cut_off: UnfinishedSwitch, request: str) -> None:
        """Leave a switch that was cut off as it is, because another request takes its place."""
        self.record(self.ended_for(cut_off, "interrupted", f"given up: {self.by} asked for {request}"))

    def attempt(self, lock: Lock | None, cut_off: UnfinishedSwitch | None = None) -> Switch:
        """Return what carries out a plan, or undoes it, and writes that down: for this request, or one that was cut off."""
        session, log = self._session, self._log(cut_off.began.switch if cut_off else self.switch)
        done = (cut_off.began.steps, cut_off.starts) if cut_off else ((), frozenset[str]())
        return Switch(session.doors(), session.project, session.rules, session.observer, self._watcher, log, lock, *done)

    def two_sides(self, lock: Lock | None) -> TwoSides:
        """Return who looks outside of a switch; in doubt stays what the last one left, as for the guard."""
        session, warn = self._session, self._watcher.warned
        kept = mode_services(session.state.mode, session.project, session.rules)
        doors = (session.docker, session.clock, session.project, session.rules, session.observer)
        return TwoSides(*doors, self._log(""), warn, lock, kept)

    def _log(self, switch: str) -> SwitchLog:
        session = self._session
        return SwitchLog(session.journal, switch, session.journal_state.policies, self._watcher.warned, self.enforced)

    def keep(self, switch: Switch) -> None:
        """Add what a switch measured to the records."""
        try:
            add_measurements(self._session.measurements_path, switch.measured)
        except ConfigurationError as error:
            self._watcher.warned(f"{error.message}; {error.hint}")  # the switch is what it is, with or without its records


def release_holds(session: Session, watcher: Watcher) -> list[str]:
    """End all holds, and return what was held and still ran: under the lock, because a switch writes down what is held, too.

    Raises LockBusy while a switch runs, NeedsAttention where a hold may be written that is not understood, ConfigurationError
    when the release cannot be written.
    """
    with switch_lock(session.directories.locks, "release", 0.0, watcher.waiting, session.clock):
        session.reload_journal()
        require_understood(session.journal_state)
        held = [str(one) for one in session.observer.observe_running().held]
        if session.journal_state.holds:
            Entry(session, watcher).intend(Held(holds=()))
    return held
