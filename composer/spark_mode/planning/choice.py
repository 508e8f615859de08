"""Which of the running to stop so that the rest satisfies every rule and limit, at the least cost: exact, not greedy.

It is dynamic programming over partial choices: the candidates are decided one after another, the dearest for its size
first; each stays or stops. Of the partial choices that leave the same constraints open only the Pareto front of cost and
freed bytes is kept: those that free more than every cheaper one. Branch and bound gives up those that cannot end cheaper than
an answer at hand: a beam search finds that answer first, and the bound is the fractional knapsack's, where a candidate can be
stopped in part. A few hundred partial choices remain where trying every subset means millions.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from spark_mode.lab.rules import AtMost, Rules
from spark_mode.planning.conflicts import Member, exclusive, exclusive_there
from spark_mode.planning.crowd import crowd_of, union

FIRST_LOOK = 6
"""How many partial choices the beam search keeps that finds an answer to measure the others by."""


class Candidate(NamedTuple):
    """Something that runs and may be stopped: a service, or a model.

    `needs` are the candidates without which it cannot run. `size` is what it is planned with, bytes. `unneeded` says
    that stopping it costs nothing, `spared` that it goes only where an at-most rule has no room for it beside what is
    wanted, and what cannot go or is spared as well.
    """

    member: Member
    needs: frozenset[str] = frozenset()
    size: int = 0
    class_: str = ""
    priority: int = 0
    load_seconds: int = 0
    unneeded: bool = False
    spared: bool = False


class Shortfall(NamedTuple):
    """What must become free, bytes: of the declared total, overhead included, and of the memory that is available."""

    declared: int = 0
    available: int = 0


class _PartialChoice(NamedTuple):
    """One way to decide the candidates so far. `staying` is a set of bits, `vanished` counts the classes that are gone."""

    cost: int
    freed: int
    staying: int
    vanished: int


def cheapest(
    candidates: Sequence[Candidate],
    wanted: Sequence[Member],
    fixed: Sequence[Member],
    kept: frozenset[str],
    rules: Rules,
    lack: Shortfall,
) -> frozenset[str] | None:
    """Return the names to stop, or None where no choice satisfies the rules and frees what is lacking.

    `fixed` is what is active in any case beside what is `wanted`, `kept` are the classes of both. The best choice has the least
    sum of priorities, then of seconds to load again, then the fewest stops; of equal ones it is the one that keeps what comes
    first.
    """
    costs = _costs(candidates)
    order = sorted(range(len(candidates)), key=lambda index: -(costs[index] << 64) // max(1, candidates[index].size))
    ordered, dear = [candidates[index] for index in order], [costs[index] for index in order]
    problem = _Problem(ordered, dear, wanted, fixed, kept, rules, lack)
    near = problem.solve(at_most=None, width=FIRST_LOOK)
    best = problem.solve(at_most=near.cost if near else None, width=None)
    if best is None:
        return None
    return frozenset(candidates[index].member.name for bit, index in enumerate(order) if not best.staying >> bit & 1)


class _Problem:
    """The candidates as bits, so that a decision is a few operations on integers."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        costs: Sequence[int],
        wanted: Sequence[Member],
        fixed: Sequence[Member],
        kept: frozenset[str],
        rules: Rules,
        lack: Shortfall,
    ) -> None:
        self._lack, self._per_class, self._count = lack, rules.overhead.per_class, len(candidates)
        self._sizes, self._costs = [one.size for one in candidates], costs
        bits = {one.member.name: 1 << index for index, one in enumerate(candidates)}
        self._needs = [union(bits[need] for need in one.needs) for one in candidates]
        self._needed_by = [
            union(1 << other for other, needs in enumerate(self._needs) if needs >> index & 1) for index in range(self._count)
        ]
        self._clashes = _clashes(candidates, rules)
        self._banned = [
            any(exclusive(rules, one.member, other) for other in wanted)
            or any(exclusive_there(rules, one.member, other) for other in fixed)
            for one in candidates
        ]
        self._crowds = [
            crowd_of(rule, [one.member for one in candidates], wanted, fixed) for rule in rules.rules if isinstance(rule, AtMost)
        ]
        self._spared = union(1 << index for index, one in enumerate(candidates) if one.spared and not self._banned[index])
        counted = {one.class_ for one in candidates if one.class_ in rules.classes} - kept
        self._classes = [
            union(1 << index for index, one in enumerate(candidates) if one.class_ == name) for name in sorted(counted)
        ]
        self._open = [[members for members in self._classes if members >> index] for index in range(self._count + 1)]
        self._bounds = [_Bound(self._sizes[index:], costs[index:]) for index in range(self._count + 1)]

    def solve(self, at_most: int | None, width: int | None) -> _PartialChoice | None:
        """Return the cheapest way, or None. `width` bounds the ways that are kept: then it may miss the cheapest."""
        if any(crowd.room < 0 for crowd in self._crowds):
            return None
        ways = [_PartialChoice(0, 0, 0, 0)]
        for index in range(self._count):
            ways = self._decide(index, ways, at_most)
            if width:
                ways = sorted(ways, key=lambda way: way.cost + (self._least_more(index + 1, way) or 0))[:width]
        return min((way for way in ways if self._least_more(self._count, way) == 0 and self._spares(way)), default=None)

    def _spares(self, way: _PartialChoice) -> bool:
        """Whether all that is spared stays for which the rules have room beside what cannot go."""
        staying = way.staying & self._spared
        full = union(crowd.everybody for crowd in self._crowds if crowd.asked and crowd.count(staying) >= crowd.room)
        return not self._spared & ~way.staying & ~full

    def _decide(self, index: int, ways: list[_PartialChoice], at_most: int | None) -> list[_PartialChoice]:
        """Return the ways after one more decision, without those that another one beats."""
        later = (1 << self._count) - (2 << index)
        linked = union(
            1 << other
            for other in range(index + 1)
            if (self._needs[other] | self._needed_by[other] | self._clashes[other]) & later
        )
        classes = [members for members in self._classes if members & later]
        linked |= self._spared & ((2 << index) - 1)
        crowds = [crowd for crowd in self._crowds if crowd.everybody & later]
        groups: dict[tuple[object, ...], list[_PartialChoice]] = {}
        for way in ways:
            for after in self._both(index, way):
                more = self._least_more(index + 1, after)
                if more is None or (at_most is not None and after.cost + more > at_most):
                    continue
                staying = after.staying
                present = [bool(staying & members) for members in classes]
                counted = [crowd.decided(staying) for crowd in crowds]
                groups.setdefault((staying & linked, after.vanished, *present, *counted), []).append(after)
        return [way for group in groups.values() for way in _unbeaten(group)]

    def _both(self, index: int, way: _PartialChoice) -> Iterable[_PartialChoice]:
        bit = 1 << index
        decided, staying = bit - 1, way.staying | bit
        if not self._needed_by[index] & way.staying:
            gone = sum(
                1 for members in self._classes if members & bit and not members >> (index + 1) and not members & way.staying
            )
            yield _PartialChoice(way.cost + self._costs[index], way.freed + self._sizes[index], way.staying, way.vanished + gone)
        if self._banned[index] or self._clashes[index] & way.staying or self._needs[index] & decided & ~way.staying:
            return
        if all(crowd.count(staying) <= crowd.room for crowd in self._crowds):
            yield _PartialChoice(way.cost, way.freed, staying, way.vanished)

    def _least_more(self, index: int, way: _PartialChoice) -> int | None:
        """Return a cost that no completion from a candidate on stays under; None where none frees enough."""
        possible = way.vanished + sum(1 for members in self._open[index] if not members & way.staying)
        declared = self._lack.declared - self._per_class * possible
        return self._bounds[index].cost(max(self._lack.available, declared) - way.freed)


class _Bound:
    """What freeing so many bytes costs at least, if candidates could be stopped in part."""

    def __init__(self, sizes: Sequence[int], costs: Sequence[int]) -> None:
        pairs = [(cost, size) for cost, size in zip(costs, sizes, strict=True) if size]
        pairs.sort(key=lambda pair: (pair[0] << 64) // pair[1])
        self._pairs = pairs
        self._freed = list(accumulate(size for _, size in pairs))
        self._cost = [0, *accumulate(cost for cost, _ in pairs)]

    def cost(self, wanted: int) -> int | None:
        if wanted <= 0:
            return 0
        at = bisect_left(self._freed, wanted)
        if at == len(self._freed):
            return None
        cost, size = self._pairs[at]
        return self._cost[at] + cost * (wanted - self._freed[at] + size) // size


def _unbeaten(ways: list[_PartialChoice]) -> list[_PartialChoice]:
    """Return the Pareto front: those that free more than every cheaper one."""
    kept, most = [], -1
    for way in sorted(ways):
        if way.freed > most:
            kept.append(way)
            most = way.freed
    return kept


def _costs(candidates: Sequence[Candidate]) -> list[int]:
    """Return what stopping each costs, as one number that sums up: priority, seconds, the count, then the order."""
    count = len(candidates)
    seconds = 1 + sum(one.load_seconds for one in candidates)
    return [
        0
        if one.unneeded
        else (((one.priority * seconds + one.load_seconds) * (count + 1) + 1) << count) + (1 << (count - 1 - index))
        for index, one in enumerate(candidates)
    ]


def _clashes(candidates: Sequence[Candidate], rules: Rules) -> list[int]:
    """Return for each candidate those that a rule excludes beside it."""
    found = [0] * len(candidates)
    for index, one in enumerate(candidates):
        for other in range(index):
            if exclusive_there(rules, one.member, candidates[other].member):
                found[index] |= 1 << other
                found[other] |= 1 << index
    return found
