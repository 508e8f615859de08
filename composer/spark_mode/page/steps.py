"""A switch that runs or was cut off, from what the lock and the journal say: so one from a terminal looks as one from here."""

import json
from typing import Literal

from spark_mode.frozen import Frozen
from spark_mode.journal.journal import UnfinishedSwitch
from spark_mode.planning.plan import Start, Step, Stop
from spark_mode.planning.step_words import rows_said

Mark = Literal["done", "running", "to come", "failed"]


class StepRow(Frozen):
    """A step in the words of a plan, and how far it is; `number` is 0 for one of the way back."""

    number: int
    action: str
    subject: str
    cause: str
    mark: Mark


class Holder(Frozen):
    """Who holds the lock, as far as they said it: empty where they have just begun. `since` is ISO 8601."""

    request: str = ""
    user: str = ""
    pid: int = 0
    since: str = ""
    doing: str = ""


class Running(Frozen):
    """A switch that runs. `switch` names it in the journal, empty before its first record, or where it is of another lab."""

    holder: Holder
    switch: str = ""
    steps: tuple[StepRow, ...] = ()
    back: bool = False


def holder_of(said: bytes) -> Holder:
    """Return what the holder of the lock wrote into its file."""
    try:
        known = json.loads(said)
        return Holder(**{key: known[key] for key in Holder.model_fields if key in known})
    except (ValueError, TypeError, RecursionError):
        return Holder()


def running(said: bytes, unfinished: UnfinishedSwitch | None) -> Running:
    """Return the switch that runs."""
    holder = holder_of(said)
    if unfinished is None:
        return Running(holder=holder)
    return Running(holder=holder, switch=unfinished.began.switch, steps=step_rows(unfinished), back=unfinished.back)


def step_rows(unfinished: UnfinishedSwitch) -> tuple[StepRow, ...]:
    """Return the steps of an unfinished switch: those of its plan, and behind them those of the way back that were begun."""
    planned, begun = unfinished.began.steps, unfinished.steps
    now = _going_on(unfinished)
    rows = rows_said(planned, unfinished.began.projects)
    of_plan = [_row(row, _mark(step, begun, now)) for row, step in zip(rows, planned, strict=True)]
    behind = [step for step in begun if step not in planned]
    back = [_row(row, "running" if step in now else "done", 0) for row, step in zip(rows_said(behind), behind, strict=True)]
    return (*of_plan, *back)


def _row(row: tuple[str, str, str, str], mark: Mark, number: int | None = None) -> StepRow:
    return StepRow(number=int(row[0]) if number is None else number, action=row[1], subject=row[2], cause=row[3], mark=mark)


def _mark(step: Step, begun: tuple[Step, ...], now: tuple[Step, ...]) -> Mark:
    if step in now:
        return "running"
    return "done" if step in begun else "to come"


def _going_on(unfinished: UnfinishedSwitch) -> tuple[Step, ...]:
    """Return the steps that were begun last and are not known to have ended: several where they go side by side."""
    found: list[Step] = []
    for step in reversed(unfinished.steps):
        if found and not _side_by_side(step, found[-1]):
            break
        found.append(step)
    return tuple(one for one in found if not (isinstance(one, Start) and one.side_by_side and one.service in unfinished.ready))


def _side_by_side(one: Step, other: Step) -> bool:
    if isinstance(one, Start) and isinstance(other, Start):
        return one.side_by_side and other.side_by_side
    return isinstance(one, Stop) and isinstance(other, Stop)


class StepTimes:
    """When each step was first seen to run and to be done, by whoever has looked: nobody writes that down."""

    def __init__(self) -> None:
        self._switch = ""
        self._begun: dict[int, float] = {}
        self._ended: dict[int, float] = {}

    def saw(self, running: Running | None, now: float) -> None:
        """Take a look at a switch, at a moment of a clock that never goes back."""
        if running is None or running.switch != self._switch:
            self._begun, self._ended = {}, {}
            self._switch = running.switch if running else ""
        for place, one in enumerate(running.steps if running else ()):
            if one.mark == "running":
                self._begun.setdefault(place, now)
            elif one.mark == "done" and place in self._begun:
                self._ended.setdefault(place, now)

    def seconds(self, place: int, now: float) -> float | None:
        """Return how long a step has taken, or goes on; None where that was not seen."""
        begun = self._begun.get(place)
        return None if begun is None else self._ended.get(place, now) - begun
