"""Which of the running to stop so that the rest satisfies every rule and limit, at the least cost: exact, not greedy.

The candidates are decided one after another, each stays or stops. Decisions that leave the same possibilities to the
candidates still undecided are compared at once, and only those are kept that no other beats: one that frees at least as
much for less. So it looks at a few hundred states where trying every subset would look at millions.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from composer.lab.rules import AtMost, Rules
from composer.planning.conflicts import Member, exclusive


class Candidate(NamedTuple):
    """Something that runs and may be stopped: a service, or a model.

    `needs` are the candidates without which it cannot run. `size` is what it is planned with, bytes. `unneeded` says
    that stopping it costs nothing.
    """

    member: Member
    needs: frozenset[str] = frozenset()
    size: int = 0
    class_: str = ""
    priority: int = 0
    load_seconds: int = 0
    unneeded: bool = False


class Lack(NamedTuple):
    """What must become free, bytes: of the declared total, overhead included, and of the memory that is available."""

    declared: int = 0
    available: int = 0


class _State(NamedTuple):
    """One way to decide the candidates so far. `stopped` and `staying` are bit sets, `vanished` counts classes."""

    cost: int
    freed: int
    stopped: int
    staying: int
    vanished: int


def cheapest(
    candidates: Sequence[Candidate], fixed: Sequence[Member], kept: frozenset[str], rules: Rules, lack: Lack
) -> frozenset[str] | None:
    """Return the names to stop, or None where no choice satisfies the rules and frees what is lacking.

    `fixed` is what is active in any case, `kept` the classes of it. The best choice has the least sum of priorities,
    then of seconds to load again, then the fewest stops; of equal ones that which keeps what comes first.
    """
    problem = _Problem(candidates, fixed, kept, rules, lack)
    states = [_State(0, 0, 0, 0, 0)]
    for index in range(len(candidates)):
        states = problem.decide(index, states)
    best = min((state for state in states if problem.is_enough(state)), default=None)
    if best is None:
        return None
    return frozenset(one.member.name for index, one in enumerate(candidates) if best.stopped >> index & 1)


class _Problem:
    """The candidates as bit sets, so that a decision is a few integer operations."""

    def __init__(
        self, candidates: Sequence[Candidate], fixed: Sequence[Member], kept: frozenset[str], rules: Rules, lack: Lack
    ) -> None:
        self._lack, self._per_class = lack, rules.overhead.per_class
        self._sizes = [one.size for one in candidates]
        self._costs = _costs(candidates)
        names = [one.member.name for one in candidates]
        at = {name: 1 << index for index, name in enumerate(names)}
        self._needs = [_union(at.get(need, 0) for need in one.needs) for one in candidates]
        self._needed_by = [
            _union(1 << other for other in range(index) if self._needs[other] >> index & 1) for index in range(len(names))
        ]
        self._clashes = [
            _union(at[other.member.name] for other in candidates if exclusive(rules, one.member, other.member))
            for one in candidates
        ]
        self._banned = [any(exclusive(rules, one.member, other) for other in fixed) for one in candidates]
        self._crowds = [_crowd(rule, candidates, fixed) for rule in rules.rules if isinstance(rule, AtMost)]
        self._impossible = any(room < 0 for _, room in self._crowds)
        count = len(candidates)
        last = {one.class_: index for index, one in enumerate(candidates)}
        of_class = {name: _union(at[one.member.name] for one in candidates if one.class_ == name) for name in last}
        counted = {name for name in last if name in rules.classes and name not in kept}
        self._closing = [
            of_class[one.class_] if one.class_ in counted and last[one.class_] == index else 0
            for index, one in enumerate(candidates)
        ]
        self._linked = [self._links(index, count, [of_class[name] for name in counted]) for index in range(count)]
        self._left = [sum(self._sizes[index + 1 :]) for index in range(count)]
        self._classes_left = [sum(1 for closing in self._closing[index + 1 :] if closing) for index in range(count)]

    def _links(self, index: int, count: int, classes: list[int]) -> int:
        """Return which of the decided candidates matter to those still undecided."""
        later = (1 << count) - (2 << index)
        found = _union(self._needs[other] | self._clashes[other] for other in range(index + 1, count))
        found |= _union(1 << other for other in range(index + 1) if self._needs[other] & later)
        found |= _union(group for group in (*classes, *(members for members, _ in self._crowds)) if group & later)
        return found & ~later

    def decide(self, index: int, states: list[_State]) -> list[_State]:
        """Return the states after one more decision, without those that another one beats."""
        groups: dict[tuple[int, int], list[_State]] = {}
        linked, left, classes_left = self._linked[index], self._left[index], self._classes_left[index]
        for state in states:
            for after in self._both(index, state):
                if self._can_be_enough(after, left, classes_left):
                    groups.setdefault((after.staying & linked, after.vanished), []).append(after)
        return [state for group in groups.values() for state in _unbeaten(group)]

    def _both(self, index: int, state: _State) -> Iterable[_State]:
        bit, closing = 1 << index, self._closing[index]
        decided = bit - 1
        if not self._needed_by[index] & state.staying:
            gone = int(bool(closing and not state.staying & closing))
            yield _State(
                state.cost + self._costs[index],
                state.freed + self._sizes[index],
                state.stopped | bit,
                state.staying,
                state.vanished + gone,
            )
        needs_gone = self._needs[index] & decided & ~state.staying
        if not (self._banned[index] or needs_gone or self._clashes[index] & state.staying) and self._has_room(
            state.staying | bit
        ):
            yield _State(state.cost, state.freed, state.stopped, state.staying | bit, state.vanished)

    def _has_room(self, staying: int) -> bool:
        return all((staying & members).bit_count() <= room for members, room in self._crowds)

    def is_enough(self, state: _State) -> bool:
        return not self._impossible and self._can_be_enough(state, 0, 0)

    def _can_be_enough(self, state: _State, left: int, classes_left: int) -> bool:
        freed = state.freed + left
        return freed >= self._lack.available and freed + self._per_class * (state.vanished + classes_left) >= self._lack.declared


def _unbeaten(states: list[_State]) -> list[_State]:
    """Return those that free more than every cheaper one."""
    kept, most = [], -1
    for state in sorted(states):
        if state.freed > most:
            kept.append(state)
            most = state.freed
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


def _crowd(rule: AtMost, candidates: Sequence[Candidate], fixed: Sequence[Member]) -> tuple[int, int]:
    """Return the candidates of an at-most rule, and how many of them it leaves room for."""
    taken = len(set(rule.of) & {one.workload for one in fixed})
    members = _union(1 << index for index, one in enumerate(candidates) if one.member.workload in rule.of)
    return members, rule.at_most - taken


def _union(sets: Iterable[int]) -> int:
    found = 0
    for one in sets:
        found |= one
    return found
