"""What fits on the machine, by the limits that hold: the same arithmetic as a budget, before there are rules to make one from."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spark_mode.lab.rules import WITHOUT_GPU, Rules

STEP = 10**8
"""Sizes in a first rules.yaml are rounded to so many bytes."""


class Need(NamedTuple):
    """A workload as far as memory is concerned: its class, and the bytes that are planned for it."""

    name: str
    class_: str
    planned: int


class Room(NamedTuple):
    """The bytes that a set may take, after what the system takes, and what each class of it and each helper takes of that."""

    memory: int
    allowed: int
    per_class: int

    def fits(self, needs: Iterable[Need], helpers: int) -> bool:
        """Whether these fit together beside so many services without a GPU."""
        several = tuple(needs)
        classes = len({one.class_ for one in several})
        return sum(one.planned for one in several) + classes * self.per_class + helpers * WITHOUT_GPU.planned <= self.allowed

    def alone(self, helpers: int, count: int = 1) -> int:
        """Return the bytes of each of so many beside which nothing fits; what else there is of the machine is in the headroom."""
        return max(STEP, (self.allowed - self.per_class - helpers * WITHOUT_GPU.planned) // count // STEP * STEP)

    def too_large_for_each_other(self, needs: Iterable[Need]) -> tuple[str, ...]:
        """Return the largest set of which no two fit, largest first; none of a single one."""
        sized = sorted(needs, key=lambda one: (-one.planned, one.name))
        most = max((count for count in range(2, len(sized) + 1) if not self._two_fit(sized[:count])), default=0)
        return tuple(one.name for one in sized[:most])

    def _two_fit(self, sized: Sequence[Need]) -> bool:
        return self.fits(sized[-2:], 0)


def room(limits: Rules, memory: int) -> Room:
    """Return what the limits of some rules leave on a machine with `memory` bytes."""
    most = min(limits.limits.tight, memory - limits.limits.headroom)
    return Room(memory, most - limits.overhead.system, limits.overhead.per_class)
