"""When a machine runs out of memory, and which service has to go before it freezes."""

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.planning.container import LEASED, Container
from spark_mode.planning.observed import Observed, running_workload
from spark_mode.planning.steps import in_stop_order

AHEAD_SECONDS = 10.0
"""How far ahead the trend is followed: a stop takes seconds, and a frozen machine takes none."""
WINDOW_SECONDS = 5.0
"""How far back the trend is taken from."""
LITTLE = 20
"""What frees less than this part of what lies between headroom and floor is not worth its stop."""


class Sample(NamedTuple):
    """What was available at a moment: monotonic seconds, bytes."""

    at: float
    available: int


class MemoryVictim(NamedTuple):
    """A service that goes, its containers, and the bytes that it is expected to free; `because_of` is what it needs."""

    service: str
    containers: tuple[Container, ...]
    frees: int
    priority: int
    because_of: str | None = None


def trend(samples: Sequence[Sample]) -> float:
    """Return the bytes a second by which the available memory changes, over the window; 0 while that is not known.

    The deepest fall from one sample to the next is left out: what fell once may be a model that is loaded by now.
    """
    recent = [one for one in samples if samples[-1].at - one.at <= WINDOW_SECONDS]
    changes = [(new.at - old.at, new.available - old.available) for old, new in pairwise(recent)]
    if not changes:
        return 0.0
    changes.remove(min(changes, key=lambda change: change[1]))
    seconds = sum(change[0] for change in changes)
    return sum(change[1] for change in changes) / seconds if seconds >= 1.0 else 0.0


def shortfall(samples: Sequence[Sample], rules: Rules, to_come: int = 0) -> int:
    """Return the bytes that are missing at the floor now, or will be soon: 0 while nothing presses.

    The headroom must be used already; a single sample is no proof of that. `to_come` bytes were stopped already and
    are waited for, but not below half the floor: the machine has to live until they come.
    """
    if len(samples) < 2:
        return 0
    floor, level = rules.limits.floor, max(samples[-1].available, samples[-2].available)
    if level >= rules.limits.headroom:
        return 0
    soon = level + min(trend(samples), 0.0) * AHEAD_SECONDS + min(to_come, floor // 2)
    return max(0, round(floor - soon))


class Releases:
    """What was stopped and has not given its memory back yet, by service."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._until: dict[str, float] = {}
        self._last = self._lowest = self._risen = 0

    def promise(self, service: str, size: int) -> None:
        """A service is being stopped that is expected to free so many bytes, however long its grace is."""
        self._sizes[service], self._until[service] = size, float("inf")
        self._lowest, self._risen = self._last, 0

    def ended(self, service: str, until: float) -> None:
        """Its stop has ended: from then on its memory is waited for until a moment."""
        if service in self._sizes:
            self._until[service] = until

    def saw(self, sample: Sample) -> None:
        """Take what came back since the lowest sample off what is to come, and what took too long as well."""
        self._last = sample.available
        self._sizes = {name: size for name, size in self._sizes.items() if self._until[name] > sample.at}
        if sample.available < self._lowest:
            self._lowest, self._risen = sample.available, 0
        came = max(0, sample.available - self._lowest - self._risen)
        self._risen += came
        for name, size in self._sizes.items():
            self._sizes[name], came = max(0, size - came), max(0, came - size)

    @property
    def to_come(self) -> int:
        """The bytes that are still expected."""
        return sum(self._sizes.values())


def memory_victims(
    observed: Observed, project: Project, rules: Rules, missing: int, going: Collection[str]
) -> tuple[MemoryVictim, ...]:
    """Return what has to go so that `missing` bytes are freed: one service after those that need it; none where nothing runs.

    What frees that much goes before what does not, the lowest priority first, where what needs it counts as well; what is
    held goes after that, training last. What frees next to nothing goes only when nothing else is left, and a model host
    without models never. `going` are stopped already.
    """
    running = {one.service for one in observed.active if one.service and one.state != LEASED} - {*going}
    single = {name: one for name in sorted(running) if (one := _victim(name, observed, rules))}
    groups = {name: (name, *project.dependents(name, single)) for name in single}
    little = (rules.limits.headroom - rules.limits.floor) // LITTLE

    def worth(name: str) -> tuple[bool, bool, bool, bool, int, int, str]:
        group = groups[name]
        size, workloads = sum(single[one].frees for one in group), [rules.of_service(one) for one in group]
        return (
            size < little,
            any(map(rules.runs_to_end, workloads)),
            any(observed.hold_of(one) for one in group),
            size < missing,
            sum(single[one].priority for one in group),
            sum(one.load_seconds for one in workloads if one),
            name,
        )

    if not single:
        return ()
    first = min(single, key=worth)
    order = in_stop_order(groups[first], project, rules, observed)
    return tuple(single[one]._replace(because_of=None if one == first else first) for one in order)


def frees(service: str, observed: Observed, rules: Rules) -> int:
    """Return the bytes that a running service is expected to free: what it is planned with, or what its models take."""
    found = _victim(service, observed, rules)
    return found.frees if found else 0


def _victim(service: str, observed: Observed, rules: Rules) -> MemoryVictim | None:
    """Return a running service as a victim; None for a model host that has no models."""
    containers = tuple(one for one in observed.active if one.service == service and one.state != LEASED)
    if not containers:
        return None
    host = rules.host_of_service(service)
    if host is None:
        workload = running_workload(rules, service, containers[0].variant)
        size, priority = (workload.footprint.planned, workload.priority) if workload else (0, 0)
        return MemoryVictim(service, containers, size, priority)
    models = [rules.workloads[name] for name in observed.models if rules.workloads[name].host == host]
    loaded = observed.loaded.get(host)
    size = sum(one.footprint.planned for one in models) if loaded is None else sum(one.size for one in loaded)
    return MemoryVictim(service, containers, size, max((one.priority for one in models), default=0)) if size else None
