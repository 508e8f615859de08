"""One attempt: a switch or a recovery, with all that it writes. Nothing else writes a record of either."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from spark_mode.errors import ConfigurationError, StepFailed
from spark_mode.journal.journal import JournalFailed, UnfinishedSwitch, refusal
from spark_mode.journal.measurements import Measurement, add_measurements
from spark_mode.journal.records import (
    Began,
    Ended,
    GoingBack,
    Outcome,
    PassedOver,
    Policy,
    Record,
    Recovering,
    Signalled,
    StepBegun,
    StepEnded,
)
from spark_mode.journal.state import State
from spark_mode.planning.conflict_policy import Victim
from spark_mode.planning.container import LEASED, Container
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Step
from spark_mode.planning.request import Request
from spark_mode.planning.step_words import doing
from spark_mode.session.session import Session
from spark_mode.sharing.lock import Lock, user_name
from spark_mode.switching.report import SwitchOptions
from spark_mode.switching.untouched import untouched
from spark_mode.switching.watcher import Watcher
from spark_mode.wall_time import ago, now

STARTING = frozenset({"create", "remove", "unpause", "start", "start-container", "load", "run"})
"""The actions that are never done unrecorded, a removal among them; stopping goes on without a journal, because it can only
make things safer."""
WAITING = frozenset({"stop", "unload", "await-release"})
"""The actions that only wait until something has ended: whoever else stops something meanwhile is in nobody's way."""
AFTER_A_LOOK = frozenset({"unpause", "start", "start-container"})
"""The actions that are done only where a look right before them allows it."""

MOST_NAMES = 5
"""How many steps that go side by side are named in a line."""


class NotRecorded(StepFailed):
    """A start was not tried, because its intent could not be written down."""


class Attempt:
    """One request: who asked, when, what it does now, what was said, and every record that it writes.

    `switch` is its id; while it recovers a switch that was cut off, its steps are written as that one's. `lock` is the main lock,
    while it is held. `step_now` is the step that was begun last, in words. `has_begun` says that it began a switch, or took one
    up: from then on the lab is not what it was for certain. `enforced` is what the rules had it stop at once, whatever became
    of the rest.
    """

    def __init__(self, session: Session, watcher: Watcher) -> None:
        self.session, self.watcher = session, watcher
        self.switch, self.at, self.by = os.urandom(6).hex(), now(), user_name()
        self.lock: Lock | None = None
        self.step_now = "the beginning"
        self.has_begun = False
        self.enforced: list[Victim] = []
        self.warnings: list[str] = []
        self._steps_of = self.switch
        self._numbers: dict[str, int] = {}
        self._owed: dict[str, Policy | None] = {}
        self._unwritten: str | None = None
        self._asked_at = 0.0

    def starts(self) -> None:
        """Have the seconds count from now."""
        self._asked_at = self.session.clock.now()

    @property
    def seconds(self) -> float:
        """The seconds since the request was made."""
        return round(self.session.clock.now() - self._asked_at, 3)

    def warned(self, message: str) -> None:
        """Say something that the user must know, while the steps run and in the report."""
        self.warnings.append(message)
        self.watcher.warned(message)

    def began(
        self,
        request: Request,
        observed: Observed,
        steps: tuple[Step, ...],
        options: SwitchOptions,
        replaced: tuple[str, ...] = (),
    ) -> None:
        """Write what a switch means to do. Raises ConfigurationError when that is not on the disk for certain."""
        ran = tuple(one for one in observed.active if one.state != LEASED)
        before = Observed(containers=ran, models=observed.models, loaded=observed.loaded, memory=observed.memory)
        self._steps_of = self.switch
        self.intend(
            Began(
                switch=self.switch,
                at=self.at,
                by=self.by,
                request=request,
                steps=steps,
                before=before,
                restore=options.restore_on_failure,
                inputs=self.session.inputs,
                hold=options.hold,
                job=options.job,
                then=options.then,
                replaced=replaced,
                projects={name: one.project for name, one in self.session.project.services.items() if one.project},
            )
        )

    def takes_up(self, cut_off: UnfinishedSwitch) -> None:
        """Write that a recovery of a switch that was cut off begins. Raises ConfigurationError as `began` does."""
        self._steps_of = cut_off.began.switch
        self.intend(Recovering(switch=cut_off.began.switch, at=self.at, by=self.by))

    def pass_over(self, count: int) -> None:
        """Write that records which are not understood count no more. Raises ConfigurationError as `began` does."""
        self.intend(PassedOver(at=self.at, by=self.by, count=count))

    def intend(self, record: Record) -> None:
        """Write what must be on the disk before anything is touched. Raises ConfigurationError."""
        journal = self.session.journal
        self.has_begun = True
        try:
            journal.append(record)
        except JournalFailed as error:
            self.has_begun = False
            message = f"the journal cannot be written: {error}; {untouched(self.enforced, 'was touched')}"
            raise ConfigurationError(message, error.fix) from None
        self._unwritten = None

    def record(self, record: Record, quietly: bool = False) -> None:
        """Write what is true already; that it cannot be written is a warning."""
        if isinstance(record, Ended):
            self.watcher.ended(record.outcome)
        try:
            self.session.journal.append(record)
        except JournalFailed as error:
            if not quietly:
                self.watcher.warned(f"{error}; this is not in the history")

    @contextmanager
    def steps(self, first: int, steps: tuple[Step, ...]) -> Iterator[None]:
        """Write the intent of a step before its effect, tell those who wait for the lock, and write that it is done.

        Several are those that go side by side; the first one has this number. Raises LockLost when the lock keeps nobody out any
        more, NotRecorded for a step that starts something and cannot be written.
        """
        action = steps[0].action
        self.step_now = doing(steps[0]) if len(steps) == 1 else f"{action} {_named(steps)}"
        if self.lock:
            self.lock.require_held()
            self.lock.doing(self.step_now, waits=action in WAITING)
        self._write(*(StepBegun(switch=self._steps_of, step=step) for step in steps))
        if self._unwritten and action in STARTING:
            raise NotRecorded(f"{self.step_now} is not done: the journal cannot be written ({self._unwritten})")
        self._numbers = {step.subject: number for number, step in enumerate(steps, first)}
        if action not in AFTER_A_LOOK:
            self.begins(*steps)
        yield
        ended = StepEnded(switch=self._steps_of)
        self._write(*(ended.model_copy(update={"service": step.subject}) for step in steps) if len(steps) > 1 else (ended,))
        for number, step in enumerate(steps, first):
            self.watcher.finished(number, step)

    def begins(self, *steps: Step) -> None:
        """Say that steps begin: those of a group as each of them does, and what is started once a look has allowed it."""
        for step in steps:
            self.watcher.started(self._numbers[step.subject], step)

    def failed(self, reason: str) -> None:
        """Write that the step failed, and tell."""
        self.watcher.failed(reason)
        self._write(StepEnded(switch=self._steps_of, failed=reason))

    def going_back(self, reason: str) -> None:
        """Write that from now on what ran before is brought back."""
        self._write(GoingBack(switch=self._steps_of, reason=reason))

    def signalled(self, at_once: bool) -> None:
        """Write that a signal is answered."""
        self._write(Signalled(switch=self._steps_of, at_once=at_once))

    def enforce(self, one: Victim, seconds: float, still: str | None) -> None:
        """Write what was stopped at once, and why: a request of its own in the history.

        What is `still` in a state of its own is written only once, however often it is tried.
        """
        is_known = one in self.enforced
        self.enforced.append(one)
        if still and is_known:
            return
        self._write(
            Ended(
                switch=os.urandom(6).hex(),
                at=ago(seconds),
                by=self.by,
                request=f"{'unload' if one.models else 'stop'} {one.service}",
                outcome="warned" if still else "enforced",
                seconds=round(seconds, 3),
                note=f"{one.cause}; it is still {still}" if still else one.cause,
            )
        )

    def disarmed(self, containers: Iterable[Container]) -> bool:
        """Write down containers' restart policies, before they get `no`; return whether they are on the disk."""
        owed = [
            Policy(container=one.id, service=one.service, policy=one.restart_policy, retries=one.restart_retries)
            for one in containers
        ]
        self._owed |= {one.container: one for one in owed}
        self._write(*owed)
        return self._unwritten is None

    def owed(self, container: str) -> Policy | None:
        """Return the restart policy that a container is owed."""
        return self._owed[container] if container in self._owed else self.session.journal_state.policies.get(container)

    def given_back(self, owed: Iterable[Policy]) -> None:
        """Write that containers have their own policies again."""
        given = [one.model_copy(update={"given_back": True}) for one in owed]
        self._owed |= {one.container: None for one in given}
        self._write(*given)

    def drop_gone(self, observed: Observed) -> None:
        """Write that nothing is owed to containers that are gone. Raises EngineUnavailable."""
        session, there = self.session, {one.id for one in observed.containers}
        for owed in session.journal_state.policies.values():
            if owed.container not in there and session.docker.container(owed.container) is None:
                self.record(owed.model_copy(update={"given_back": True}))

    def measured(self, taken: Iterable[Measurement]) -> None:
        """Add what starts were seen to take to the measurements."""
        try:
            add_measurements(self.session.measurements_path, tuple(taken))
        except ConfigurationError as error:
            self.watcher.warned(f"{error.message}; {error.hint}")  # the switch is what it is, with or without them

    def ended(
        self, request: str, outcome: Outcome, note: str | None = None, state: State | None = None, keeps: bool = False
    ) -> Ended:
        """Return how this request ended; `keeps` says that what is to come back after a training still is."""
        return Ended(
            switch=self.switch,
            at=self.at,
            by=self.by,
            request=request,
            outcome=outcome,
            seconds=self.seconds,
            note=note,
            state=state,
            keeps=keeps,
        )

    def ended_for(
        self, cut_off: UnfinishedSwitch, outcome: Outcome, note: str, state: State | None = None, keeps: bool = False
    ) -> Ended:
        """Return how a switch that was cut off ended by this request."""
        began = cut_off.began
        mine = self.ended(str(began.request), outcome, note, state, keeps)
        return mine.model_copy(update={"switch": began.switch, "at": began.at, "by": began.by})

    def refused(self, request: str, note: str) -> None:
        """Write that a request was refused, but not the same refusal again and again."""
        if refusal(self.by, request, note) not in self.session.journal_state.refused:
            self.record(self.ended(request, "refused", note=note), quietly=True)

    def gives_up(self, cut_off: UnfinishedSwitch, request: str) -> None:
        """Leave a switch that was cut off as it is, because another request takes its place."""
        self.record(self.ended_for(cut_off, "interrupted", f"given up: {self.by} asked for {request}"))

    def _write(self, *records: Record) -> None:
        """Write records of a switch that goes on. Once that has failed nothing more is started; it is said once."""
        if self._unwritten:
            return
        try:
            self.session.journal.append(*records)
        except JournalFailed as error:
            self._unwritten = str(error)
            self.warned(f"the journal cannot be written ({error}): what runs is stopped as planned, and nothing more is started")


def _named(steps: tuple[Step, ...]) -> str:
    """Return what steps are about, for a line: of many the first ones."""
    names = [step.subject for step in steps]
    return ", ".join(names) if len(names) <= MOST_NAMES else f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"
