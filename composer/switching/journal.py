"""What a switch means to do, written down before it is done; Docker is the truth, this is the intent.

A journal is a list of records. `Past` is what they say together: the switches that ended, the one that did not, which
restart policies containers are owed, who holds what, and the state that the last switch left.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from pydantic import Field, ValidationError

from composer.frozen import Frozen
from composer.planning.observed import Hold
from composer.planning.plan import Start, Step
from composer.switching.records import (
    AnyStep,
    Began,
    Carried,
    Ended,
    GoingBack,
    Held,
    Policy,
    Record,
    Recovering,
    Signalled,
    StepBegun,
    StepEnded,
    Then,
)
from composer.switching.state import State


class JournalFailed(Exception):
    """A record could not be written; the message is the system's reason."""


class Journal(Protocol):
    """A list of records that only grows. An appended record is on the disk when the call returns."""

    def records(self) -> list[Mapping[str, Any]]:
        """Return all records that can be read, oldest first."""

    def append(self, record: Record) -> None:
        """Add a record. Raises JournalFailed when it is not on the disk for certain.

        That a step has ended is on the disk with the next record: Docker says it, too.
        """

    def rotate(self) -> None:
        """Begin anew when it is large, with what is still owed; only while no switch is open. Raises JournalFailed."""

    def damaged(self) -> int:
        """Return how many records are no longer what was written."""


class Open(Frozen):
    """A switch that began and did not end: running, or cut off. `steps` are those that were begun, both ways.

    `ready` are the services whose start was done.
    """

    began: Began
    steps: tuple[AnyStep, ...] = ()
    back: bool = False
    ready: tuple[str, ...] = ()

    @property
    def at(self) -> str:
        """The step that was begun last, for people."""
        return f"{self.steps[-1].action} {self.steps[-1].subject}" if self.steps else "the beginning"

    @property
    def starts(self) -> frozenset[str]:
        """The services whose start was begun."""
        return frozenset(step.service for step in self.steps if isinstance(step, Start))

    def __str__(self) -> str:
        return f"{self.began.request}, by {self.began.by} at {self.began.at}, was cut off during: {self.at}"


class Past(Frozen):
    """What the records say together. `unreadable` counts those of a shape that is not known.

    `then` is the switch after whose training what ran before comes back.
    """

    ended: tuple[Ended, ...] = ()
    open: Open | None = None
    policies: dict[str, Policy] = Field(default_factory=dict)
    holds: tuple[Hold, ...] = ()
    state: State = State()
    then: str | None = None
    unreadable: int = 0

    @property
    def last_change(self) -> str | None:
        """The switch that changed something last."""
        return next((one.switch for one in reversed(self.ended) if one.outcome not in NO_CHANGE), None)

    @property
    def restores(self) -> bool:
        """Whether what ran before comes back when training ends: nothing was switched since that was asked for."""
        return self.then is not None and self.then == self.last_change


NO_CHANGE = ("refused", "unchanged", "enforced", "warned")
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
    "then": Then,
    "ended": Ended,
    "carried": Carried,
}


def past(records: Iterable[Mapping[str, Any]]) -> Past:
    """Return what the records say together. One that makes no sense is counted and passed over."""
    found = _Fold()
    for raw in records:
        kind = _KINDS.get(str(raw.get("kind")))
        try:
            if kind is None:
                raise ValueError(raw.get("kind"))
            found.add(kind.model_validate(raw))
        except (ValidationError, ValueError):
            found.unreadable += 1
    return found.result()


class _Fold:
    def __init__(self) -> None:
        self.ended: list[Ended] = []
        self.open: Open | None = None
        self.policies: dict[str, Policy] = {}
        self.holds: tuple[Hold, ...] = ()
        self.state = State()
        self.then: str | None = None
        self.unreadable = 0

    def add(self, record: Record) -> None:  # noqa: C901 - one branch for each kind of record, and nothing else
        match record:
            case Began():
                self.open = Open(began=record)
            case StepBegun() if self._is_open(record.switch):
                self._grow(steps=(*self.steps, record.step))
            case StepEnded(failed=None) if self._is_open(record.switch):
                self._finish_step()
            case GoingBack() if self._is_open(record.switch):
                self._grow(back=True)
            case Policy():
                self.policies.pop(record.container, None)
                if not record.given_back:
                    self.policies[record.container] = record
            case Held():
                self.holds = record.holds
            case Then():
                self.then = record.switch
            case Ended():
                self._end(record)
            case Carried():
                self.then = record.then
                self.policies = {one.container: one for one in record.policies}
                self.holds, self.state = record.holds, record.state

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.open.steps if self.open else ()

    def _is_open(self, switch: str) -> bool:
        return self.open is not None and self.open.began.switch == switch

    def _finish_step(self) -> None:
        if self.open and self.steps and isinstance(step := self.steps[-1], Start):
            self._grow(ready=(*self.open.ready, step.service))

    def _grow(self, **fields: object) -> None:
        if self.open:
            self.open = self.open.model_copy(update=fields)

    def _end(self, record: Ended) -> None:
        self.ended.append(record)
        self.state = record.state or self.state
        if self._is_open(record.switch):
            self.open = None

    def result(self) -> Past:
        return Past(
            ended=tuple(self.ended),
            open=self.open,
            policies=self.policies,
            holds=self.holds,
            state=self.state,
            then=self.then,
            unreadable=self.unreadable,
        )
