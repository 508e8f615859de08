"""What a switch means to do, written down before it is done; Docker is the truth, this is the intent.

A journal is a list of records. `JournalState` is what they say together: the switches that ended, the one that did not, which
restart policies containers are owed, who holds what, and the state that the last switch left. A record that cannot be
understood, because it was damaged or a newer release wrote it, may be of an unfinished switch, and counts as one.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import Field, ValidationError

from spark_mode.frozen import Frozen
from spark_mode.journal.records import (
    AnyStep,
    Began,
    Ended,
    GoingBack,
    Held,
    PassedOver,
    Policy,
    Record,
    Recovering,
    RestoreAfter,
    Signalled,
    Snapshot,
    StepBegun,
    StepEnded,
)
from spark_mode.journal.state import State
from spark_mode.planning.observed import Hold
from spark_mode.planning.plan import Start, Step
from spark_mode.planning.step_words import doing


class JournalFailed(Exception):
    """A record could not be written, or none be read; the message is the system's reason, and `fix` the way out."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


class Journal(Protocol):
    """A list of records that grows, and forgets what is not needed. An appended one is on the disk when the call returns."""

    def records(self) -> list[Mapping[str, Any]]:
        """Return the records from which everything that is in force follows, oldest first. Raises JournalFailed.

        One that was written and cannot be read any more is there too, as one of no known kind.
        """

    def history(self) -> list[Mapping[str, Any]]:
        """Return the records of how requests ended, oldest first, as far as they are kept. Raises JournalFailed."""

    def append(self, *records: Record) -> None:
        """Add records, all or none. Raises JournalFailed when they are not on the disk for certain.

        That a step has ended is on the disk with the next record: Docker says it, too.
        """


class UnfinishedSwitch(Frozen):
    """A switch that began and did not end: running, or cut off. `steps` are those that were begun, both ways.

    `ready` are the services whose start was done. `left` says that a second signal ended it, `recovery_by` who began a recovery
    that did not finish it.
    """

    began: Began
    steps: tuple[AnyStep, ...] = ()
    back: bool = False
    ready: tuple[str, ...] = ()
    left: bool = False
    recovery_by: str | None = None

    @property
    def at(self) -> str:
        """The step that was begun last, for people."""
        return doing(self.steps[-1]) if self.steps else "the beginning"

    @property
    def starts(self) -> frozenset[str]:
        """The services whose start was begun."""
        return frozenset(step.service for step in self.steps if isinstance(step, Start))

    def __str__(self) -> str:
        left = ", left at once by a second signal" if self.left else ""
        recovery = f"; a recovery, by {self.recovery_by}, did not finish it" if self.recovery_by else ""
        return f"{self.began.request}, by {self.began.by} at {self.began.at}, was cut off during: {self.at}{left}{recovery}"


class JournalState(Frozen):
    """What the records say together. `unreadable` counts those that are not understood.

    `then` is the switch after whose training what ran before comes back, and `owed` says that whoever switches next sees to
    that, too; `ended_by` is the request after which it does not. `last_change` is the one that changed something last.
    `refused` are the refusals since, as `refusal` gives them.
    `kept` are the places of the records that are needed as they are, beside what stands here.
    """

    ended: tuple[Ended, ...] = ()
    unfinished: UnfinishedSwitch | None = None
    policies: dict[str, Policy] = Field(default_factory=dict)
    holds: tuple[Hold, ...] = ()
    state: State = State()
    then: str | None = None
    owed: bool = False
    ended_by: str | None = None
    last_change: str | None = None
    refused: frozenset[str] = frozenset()
    unreadable: int = 0
    kept: tuple[int, ...] = ()

    @property
    def puzzle(self) -> str | None:
        """What is to be said of records that are not understood: a switch may be unfinished."""
        if not self.unreadable:
            return None
        return (
            f"the journal has {self.unreadable} record{'s' * (self.unreadable > 1)} that this release does not understand, "
            "damaged or of a newer one: a switch may be unfinished"
        )

    @property
    def restores(self) -> bool:
        """Whether what ran before comes back when training ends: nothing was switched since that was asked for."""
        return self.then is not None and self.then == self.last_change


NO_CHANGE = ("refused", "unchanged", "enforced", "warned", "ended")
"""Outcomes after which what was switched last is still what was switched last."""
_KINDS: dict[str, type[Record]] = {
    "began": Began,
    "recovering": Recovering,
    "step": StepBegun,
    "step-ended": StepEnded,
    "going-back": GoingBack,
    "signalled": Signalled,
    "policy": Policy,
    "held": Held,
    "then": RestoreAfter,
    "ended": Ended,
    "passed-over": PassedOver,
    "carried": Snapshot,
}
_NUMBERS = re.compile(r"\d+")


def journal_state(records: Iterable[Mapping[str, Any]]) -> JournalState:
    """Return what the records say together."""
    return folded(map(understood, records))


def folded(records: Iterable[Record | None]) -> JournalState:
    """Return what records say together that were read before, each None that is not understood."""
    found = _Fold()
    for place, record in enumerate(records):
        found.add(place, record)
    return found.result()


def understood(raw: Mapping[str, Any]) -> Record | None:
    """Return the record, None where it is not understood."""
    kind = _KINDS.get(str(raw.get("kind")))
    try:
        return None if kind is None else kind.model_validate(raw)
    except ValidationError:
        return None


def refusal(by: str, request: str, note: str) -> str:
    """Return what makes two refusals the same: who asked for what, and why not, whatever the figures in it."""
    return _NUMBERS.sub("0", f"{by}\n{request}\n{note}")


@dataclass
class _Open:
    """A switch that is unfinished so far, with the places of its records."""

    began: Began
    steps: list[Step] = field(default_factory=list)
    ready: list[str] = field(default_factory=list)
    back: bool = False
    left: bool = False
    recovery_by: str | None = None
    places: list[int] = field(default_factory=list)

    def known(self) -> UnfinishedSwitch:
        return UnfinishedSwitch(
            began=self.began,
            steps=tuple(self.steps),
            back=self.back,
            ready=tuple(self.ready),
            left=self.left,
            recovery_by=self.recovery_by,
        )

    def finish_step(self, service: str | None) -> None:
        if self.steps and isinstance(step := self.steps[-1], Start):
            self.ready.append(service or step.service)


class _Fold:
    def __init__(self) -> None:
        self.ended: list[Ended] = []
        self.unfinished: _Open | None = None
        self.policies: dict[str, Policy] = {}
        self.holds: tuple[Hold, ...] = ()
        self.state = State()
        self.then: str | None = None
        self.owed = False
        self.ended_by: str | None = None
        self.last_change: str | None = None
        self.refused: set[str] = set()
        self.puzzles: list[int] = []

    def add(self, place: int, record: Record | None) -> None:
        """Add the record at a place; None is one that is not understood."""
        if record is None:
            self.puzzles.append(place)
            return
        if isinstance(record, Began):
            self.unfinished = _Open(record)
        if not isinstance(record, RestoreAfter) and (one := self._open(getattr(record, "switch", ""))):
            one.places.append(place)
            self._grow(one, record)
        self._take(record)

    def _open(self, switch: str) -> _Open | None:
        """Return the unfinished switch if it is this one."""
        return self.unfinished if self.unfinished and self.unfinished.began.switch == switch else None

    def _grow(self, one: _Open, record: Record) -> None:
        match record:
            case StepBegun():
                one.steps.append(record.step)
            case StepEnded(failed=None):
                one.finish_step(record.service)
            case GoingBack():
                one.back = True
            case Signalled():
                one.left = record.at_once
            case Recovering():
                one.recovery_by = record.by

    def _take(self, record: Record) -> None:
        match record:
            case Policy():
                self.policies.pop(record.container, None)
                if not record.given_back:
                    self.policies[record.container] = record
            case Held():
                self.holds = record.holds
            case RestoreAfter():
                self.then, self.owed, self.ended_by = record.switch, record.owed, None
            case Ended():
                self._end(record)
            case PassedOver():
                self.unfinished, self.puzzles = None, []
            case Snapshot():
                self.then, self.owed, self.last_change = record.then, record.owed, record.last_change
                self.ended_by = record.ended_by
                self.policies = {one.container: one for one in record.policies}
                self.holds, self.state = record.holds, record.state

    def _end(self, record: Ended) -> None:
        self.ended.append(record)
        self.state = record.state or self.state
        if record.outcome == "refused":
            self.refused.add(refusal(record.by, record.request, record.note or ""))
        elif record.outcome not in NO_CHANGE:
            self._follow(record)
            self.last_change, self.refused = record.switch, set()
        if self._open(record.switch):
            self.unfinished = None

    def _follow(self, record: Ended) -> None:
        """Have what is to come back follow a switch that keeps it; another one ends that, `restore` by doing it."""
        if self.then is None or self.then != self.last_change:
            return
        if record.keeps:
            self.then = record.switch
        elif record.switch != self.then and record.request != "restore":
            self.ended_by = f"{record.request}, by {record.by} at {record.at}"

    def result(self) -> JournalState:
        return JournalState(
            ended=tuple(self.ended),
            unfinished=self.unfinished.known() if self.unfinished else None,
            policies=self.policies,
            holds=self.holds,
            state=self.state,
            then=self.then,
            owed=self.owed,
            ended_by=self.ended_by,
            last_change=self.last_change,
            refused=frozenset(self.refused),
            unreadable=len(self.puzzles),
            kept=tuple(sorted([*self.puzzles, *(self.unfinished.places if self.unfinished else ())])),
        )
