"""Doors that raise what nobody expects, at any call: the calls of all doors of one attempt are counted together."""

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Literal, TypeVar, cast

Door = TypeVar("Door")
Moment = Literal["instead", "after"]
"""When a call raises: instead of what it does, or after it, as for an answer that cannot be read."""
UNEXPECTED: tuple[type[Exception], ...] = (AttributeError, IndexError, MemoryError, RecursionError, OSError)


class Calls:
    """The calls of all doors. The one with the index `fault_at` raises, and with `for_ever` so does every later one.

    `names` are the calls so far, `raised` is how often one raised, and `places`, kept where none shall, is where the code was.
    """

    def __init__(self, fault_at: int | None = None, moment: Moment = "instead", for_ever: bool = False) -> None:
        self._fault_at, self._moment, self._for_ever = fault_at, moment, for_ever
        self.names: list[str] = []
        self.places: list[tuple[object, ...]] = []
        self.raised = 0

    def make(self, name: str, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Make a call, which may be the one that raises."""
        index = len(self.names)
        self.names.append(name)
        if self._fault_at is None:
            self.places.append((name, *_where()))
        is_due = self._fault_at is not None and (index == self._fault_at or (self._for_ever and index > self._fault_at))
        if not is_due:
            return call(*arguments, **named)
        self.raised += 1
        if self._moment == "after":
            call(*arguments, **named)
        raise UNEXPECTED[index % len(UNEXPECTED)](f"nobody expected that of {name}")

    def first_and_last_of_each_place(self) -> list[int]:
        """Return the indexes of those calls: a wait makes the same call hundreds of times in the same place."""
        first = {place: index for index, place in reversed(list(enumerate(self.places)))}
        last = {place: index for index, place in enumerate(self.places)}
        return sorted({*first.values(), *last.values()})

    def through(self, door: Door, name: str) -> Door:
        """Return a door whose calls are counted here."""
        return cast(Door, FaultyDoor(self, door, name))


def _where() -> Iterator[tuple[object, int]]:
    """Yield each function that is being called, and its line."""
    frame: FrameType | None = sys._getframe(1)
    while frame:
        yield frame.f_code, frame.f_lineno
        frame = frame.f_back


class FaultyDoor:
    """A door, whichever it is, behind which a call may raise; so do the doors that it gives, such as a stream of events."""

    def __init__(self, calls: Calls, door: object, name: str) -> None:
        self._calls, self._door, self._name = calls, door, name

    def __getattr__(self, attribute: str) -> Any:
        found, name = getattr(self._door, attribute), f"{self._name}.{attribute}"
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            answer = self._calls.make(name, found, *arguments, **named)
            return FaultyDoor(self._calls, answer, name) if hasattr(answer, "__enter__") else answer

        return call

    def __enter__(self) -> "FaultyDoor":
        return FaultyDoor(self._calls, self._door.__enter__(), self._name)  # type: ignore[attr-defined]  # it has one

    def __exit__(self, *error: object) -> bool | None:
        return cast(bool | None, self._door.__exit__(*error))  # type: ignore[attr-defined]  # it has one
