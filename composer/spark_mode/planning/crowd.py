"""What an `at_most` rule has to do with a choice: whom of the candidates it counts, as bits, and how many may stay."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from spark_mode.lab.rules import AtMost
from spark_mode.planning.conflicts import Member, counted_by


class _Hosted(NamedTuple):
    """A host and its models among whom an at-most rule counts, as bits; `taken` of its room by what cannot go.

    The host counts for one while none of its models counts. Only where something is wanted that the rule counts does each
    of the `models` count; `models_taken` are those of them that cannot go.
    """

    everybody: int
    models: int
    models_taken: int
    taken: int

    def count(self, staying: int) -> int:
        """Return how many count of these beside what is taken."""
        models = self.models_taken + (staying & self.models).bit_count()
        return max(models, self.taken, 1 if staying & self.everybody else 0) - self.taken

    def decided(self, staying: int) -> tuple[int, bool]:
        """Return all of those that stay that matters for the ones that are still to be decided."""
        return (staying & self.models).bit_count(), bool(staying & self.everybody)


class Crowd(NamedTuple):
    """The candidates that an at-most rule counts, as bits, and how many of them it leaves `room` for.

    `asked` says that the rule counts something that is wanted. `single` are those that count whatever else does.
    """

    room: int
    asked: bool
    everybody: int
    single: int
    hosted: tuple[_Hosted, ...]

    def count(self, staying: int) -> int:
        """Return how many of those that stay the rule counts."""
        return (staying & self.single).bit_count() + sum(one.count(staying) for one in self.hosted)

    def decided(self, staying: int) -> tuple[object, ...]:
        """Return all of those that stay that matters for the ones that are still to be decided."""
        return (staying & self.single).bit_count(), *(one.decided(staying) for one in self.hosted)


def crowd_of(rule: AtMost, candidates: Sequence[Member], wanted: Sequence[Member], fixed: Sequence[Member]) -> Crowd:
    """Return what an at-most rule has to do with the candidates; `counted_by` says whom it counts."""
    asked = any(one.labels.intersection(rule.of) for one in wanted)
    taken = counted_by(rule, wanted, fixed)
    workloads = {one.workload for one in taken if one.workload}
    bits = {
        1 << index: one
        for index, one in enumerate(candidates)
        if one.labels.intersection(rule.of) and one.workload not in workloads
    }
    hosts = dict.fromkeys(one.host for one in bits.values() if one.host)
    return Crowd(
        room=rule.at_most - len(taken),
        asked=asked,
        everybody=union(bits),
        single=union(bit for bit, one in bits.items() if not one.host),
        hosted=tuple(_hosted(host, bits, taken, asked) for host in hosts),
    )


def _hosted(host: str, bits: Mapping[int, Member], taken: Sequence[Member], asked: bool) -> _Hosted:
    mine = {bit: one for bit, one in bits.items() if one.host == host}
    counted = [one for one in taken if one.host == host]
    return _Hosted(
        everybody=union(mine),
        models=union(bit for bit, one in mine.items() if not one.is_host) if asked else 0,
        models_taken=sum(not one.is_host for one in counted) if asked else 0,
        taken=len(counted),
    )


def union(sets: Iterable[int]) -> int:
    """Return all that is in any of these sets of bits."""
    found = 0
    for one in sets:
        found |= one
    return found
