"""What each mode takes of a machine, in counts alone: all that a queue can know of the rules, which the machine itself keeps.

A mode is exact within its class, so no two of one class run on a machine. What a rule keeps apart shares a pool: whoever takes
all of it has nobody else beside him. A pool is never wider than its rule: where a count cannot say it, fewer run together.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.frozen import Frozen
from spark_mode.lab.by_nature import with_nature
from spark_mode.lab.project import Project
from spark_mode.lab.rules import AtMost, Exclusive, Rules
from spark_mode.lab.rules_of_project import with_project
from spark_mode.planning.budget import budget
from spark_mode.planning.mode import mode_text
from spark_mode.planning.observed import Observed
from spark_mode.planning.request import ModeRequest, mode_requests
from spark_mode.planning.resolve import resolve
from spark_mode.planning.target import Target, leave_out_excluded, members, require_startable, workloads


class Pool(Frozen):
    """Something of which a machine has a `count`, for a `rule` or so that one of a class runs; `because` says why."""

    name: str
    count: int
    because: str


class Demand(Frozen):
    """What a mode takes: `memory` in bytes without the system's own share, and so much of each pool by name.

    `grace_seconds` is the longest time that one of its services has for its end.
    """

    mode: str
    class_: str
    memory: int
    pools: dict[str, int]
    grace_seconds: float


class ClassDemand(Frozen):
    """How a class stands to others: the highest `priority` of what its modes run, and whether the guard `spares` it."""

    name: str
    priority: int
    spared: bool
    runs_to_end: bool


class Demands(Frozen):
    """What all modes take of a machine that has `memory` bytes for them; `left_out` are modes that cannot run, and why."""

    memory: int
    pools: tuple[Pool, ...]
    classes: tuple[ClassDemand, ...]
    modes: tuple[Demand, ...]
    left_out: dict[str, str]

    def of(self, mode: str) -> Demand | None:
        """Return what a mode takes, by its name as it is typed."""
        return next((one for one in self.modes if one.mode == mode), None)


class _Meant(NamedTuple):
    """A mode, and what it runs; `labels` are those of each member by its name."""

    text: str
    class_: str
    target: Target
    memory: int
    labels: dict[str, frozenset[str]]


def demands(rules: Rules, project: Project, capacity: int) -> Demands:
    """Return what the modes of a lab take of a machine with `capacity` bytes."""
    rules = with_nature(with_project(rules, project), project)
    limits = rules.limits
    left_out: dict[str, str] = {}
    found = list(_modes(rules, project, capacity, left_out))
    takes: dict[str, dict[str, int]] = {one.text: {f"class {one.class_}": 1} for one in found}
    classes = tuple(dict.fromkeys(one.class_ for one in found))
    pools = [Pool(name=f"class {name}", count=1, because=f"one mode of {name} at a time") for name in classes]
    for rule in rules.rules:
        shares = _shares(rule, found, len(classes)) if isinstance(rule, Exclusive | AtMost) else None
        if shares:
            count, taken = shares
            pools.append(Pool(name=rule.name, count=count, because=rule.because))
            for text, share in taken.items():
                takes[text][rule.name] = share
    return Demands(
        memory=min(capacity - limits.headroom, limits.tight) - rules.overhead.system,
        pools=tuple(pools),
        classes=tuple(_class(name, rules, found) for name in classes),
        modes=tuple(
            Demand(mode=one.text, class_=one.class_, memory=one.memory, pools=takes[one.text], grace_seconds=_grace(one, project))
            for one in found
        ),
        left_out=left_out,
    )


def _modes(rules: Rules, project: Project, capacity: int, left_out: dict[str, str]) -> Iterator[_Meant]:
    for profile, request in mode_requests(rules):
        text = mode_text(rules, request.mode, profile)
        try:
            yield _meant(text, request, rules, project, capacity)
        except (ConfigurationError, UsageFault) as error:
            left_out[text] = error.message


def _meant(text: str, request: ModeRequest, rules: Rules, project: Project, capacity: int) -> _Meant:
    target = leave_out_excluded(resolve(request, project, rules), project, rules)
    require_startable(target, project, rules)
    reckoned = budget(workloads(target, rules, Observed()), rules, capacity)
    if reckoned.memory in ("oom-risk", "does-not-fit"):
        raise ConfigurationError(f"{text} does not fit this machine: {reckoned.memory}")
    labels = {one.name: one.labels for one in members(target, rules)}
    return _Meant(text, rules.modes[request.mode].class_, target, reckoned.total - rules.overhead.system, labels)


def _shares(rule: Exclusive | AtMost, found: Sequence[_Meant], most: int) -> tuple[int, dict[str, int]] | None:
    """Return how many a rule's pool has and what modes take of it; None for a rule that parts no two classes."""
    named = frozenset(rule.exclusive if isinstance(rule, Exclusive) else rule.of)
    sides = {one.text: frozenset().union(*one.labels.values()) & named for one in found}
    classes = {one.text: one.class_ for one in found}
    told = {text: side for text, side in sides.items() if side}
    if len({classes[text] for text in told}) < 2:
        return None
    if isinstance(rule, AtMost):
        counts = {one.text: sum(1 for labels in one.labels.values() if labels & named) for one in found if one.text in told}
        return rule.at_most, {text: min(count, rule.at_most) for text, count in counts.items()}
    return _apart(rule, told, classes, most)


def _apart(
    rule: Exclusive, told: dict[str, frozenset[str]], classes: dict[str, str], most: int
) -> tuple[int, dict[str, int]] | None:
    """Return the pool of an exclusive rule: a member that one class alone has takes all of it, what is of one other takes 1."""
    if len({*told.values()}) == 1 and all(len(side) == 1 for side in told.values()):
        return None  # they are all of one member, which no rule keeps apart from itself
    for alone in rule.exclusive:
        with_it = [text for text, side in told.items() if alone in side]
        others = {text: side for text, side in told.items() if alone not in side}
        if with_it and len({classes[text] for text in with_it}) == 1 and len(frozenset().union(*others.values())) == 1:
            return most, {**dict.fromkeys(with_it, most), **dict.fromkeys(others, 1)}
    return 1, dict.fromkeys(told, 1)


def _class(name: str, rules: Rules, found: Sequence[_Meant]) -> ClassDemand:
    mine = [one for meant in found if meant.class_ == name for one in workloads(meant.target, rules, Observed())]
    own = [one for one in mine if one.class_ == name]
    spared = name in rules.spared or any(one.name in rules.spared for one in own)
    long = any(rules.runs_to_end(one) for one in own)
    return ClassDemand(name=name, priority=max((one.priority for one in own), default=0), spared=spared, runs_to_end=long)


def _grace(meant: _Meant, project: Project) -> float:
    return max((project.services[name].stop_grace_seconds for name in meant.target.services), default=10.0)
