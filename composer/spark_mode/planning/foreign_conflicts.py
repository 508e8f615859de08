"""What is in the way of a start and not ours to stop: the rules, or the same thing already, in a foreign container."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from spark_mode.lab.rules import Rules
from spark_mode.planning.conflicts import Member, conflicts, foreign_member, member
from spark_mode.planning.observed import ForeignWorkload, Observed


class ForeignConflict(NamedTuple):
    """A foreign container, and why what is wanted does not run beside it."""

    foreign: ForeignWorkload
    because: str

    def __str__(self) -> str:
        return f"{self.foreign}: {self.because}"


def foreign_conflict(services: Collection[str], rules: Rules, observed: Observed) -> ForeignConflict | None:
    """Return the first foreign container that these services do not start beside."""
    return next(foreign_conflicts(services, [member(rules, name) for name in services], rules, observed), None)


def foreign_conflicts(
    names: Collection[str], wanted: Collection[Member], rules: Rules, observed: Observed
) -> Iterator[ForeignConflict]:
    """Yield the foreign containers that services and models of these names do not start beside; `wanted` is what rules see."""
    for one in observed.foreign:
        known = rules.workloads.get(one.name)
        if clash := next(conflicts(rules, (*wanted, foreign_member(rules, one.name))), None):
            yield ForeignConflict(foreign=one, because=clash.rule.because)
        elif one.name in names or (known and known.service in names):
            yield ForeignConflict(foreign=one, because=f"it is {one.name}, started outside this lab")
