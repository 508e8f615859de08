"""What is in the way of a start and not ours to stop: the rules, or the same thing already, in a foreign container."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from spark_mode.lab.rules import Rules
from spark_mode.planning.conflicts import Member, conflicts, foreign_member, member
from spark_mode.planning.foreign_workload import ForeignWorkload, how_to_stop
from spark_mode.planning.observed import Observed

OUTSIDE = ", started outside this lab"


class ForeignConflict(NamedTuple):
    """A foreign container, and why what is wanted does not run beside it."""

    foreign: ForeignWorkload
    because: str

    def __str__(self) -> str:
        return f"{self.foreign}: {self.because}"


def stop_it_yourself(found: Sequence[ForeignWorkload]) -> str | None:
    """Return the hint of a refusal because of these, None where they are still about to start: how to end them."""
    stop = how_to_stop(found)
    if stop is None or not all(one.command for one in found):
        return stop and f"spark-mode never stops what is not the lab's; stop it yourself: {stop}"
    pids = [pid for one in found if one.command for pid in one.command.left or (one.command.pid,)]
    waits = f"; --wait waits for switches alone, and for this: tail --pid={pids[0]} -f /dev/null" if len(pids) == 1 else ""
    return f"wait for its end, or end it: Ctrl-C at its terminal, or {stop}{waits}"


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
            yield ForeignConflict(foreign=one, because=f"it is {one.name}{OUTSIDE * (not one.command)}")
