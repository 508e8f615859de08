"""What goes side by side: services that take no memory worth measuring start together, and stops wait for no other's grace.

All others start one after another, each ready before the next: models that load at the same time mis-measure the memory.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby

from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.service import Service
from spark_mode.lab.size import GB
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Awaited, Start, Step, Stop

SETTLE_SECONDS = 3.0
"""How long a service without a health check must run without a restart."""
BRIEF_SETTLE_SECONDS = 0.2
"""How long what takes no memory worth measuring must run without a restart: it loads nothing, so what is wrong shows at once."""
SMALLEST_SHARE = 200
"""What takes less than one part in so many of the machine's memory is not worth measuring."""
SMALLEST_BYTES = GB // 10


def is_light(service: Service, rules: Rules, observed: Observed) -> bool:
    """Whether a service takes no memory worth measuring: it asks for no GPU, and no workload plans it with more than a trifle."""
    workload = rules.of_service(service.name)
    if service.replicas > 1:
        return False  # they start together already, and all of them are awaited
    if service.reserves_gpu or workload is None:
        return not service.reserves_gpu
    capacity = rules.hardware.capacity
    total = capacity if isinstance(capacity, int) else observed.memory.total or 0
    sizes = [workload.footprint, *(one.footprint for one in workload.variants.values())]
    return max(one.planned for one in sizes) <= max(SMALLEST_BYTES, total // SMALLEST_SHARE)


def start_groups(names: Sequence[str], light: Collection[str], project: Project) -> Iterator[tuple[str, ...]]:
    """Yield services, dependencies first as they come, so that as many of the `light` ones as may go together do."""
    left = dict.fromkeys(names)
    while left:
        first = next(iter(left))
        group: dict[str, None] = {}
        for name in left if first in light else ():
            if name in light and not any(other in left and other not in group for other in _depends(name, project)):
                group[name] = None
        yield tuple(group) or (first,)
        for name in group or (first,):
            del left[name]


def awaited(name: str, among: Collection[str], project: Project) -> dict[str, Awaited]:
    """Return those of `among` for which a service waits at its start, and what it waits for."""
    conditions = project.services[name].depends_on
    return {
        other: "started" if other not in conditions or conditions[other].condition == "service_started" else "ready"
        for other in _depends(name, project)
        if other in among
    }


def together(steps: Iterable[Step]) -> Iterator[tuple[Step, ...]]:
    """Yield steps in their order, those that go side by side together."""
    for kind, found in groupby(steps, _kind):
        if kind:
            yield tuple(found)
        else:
            yield from ((step,) for step in found)


def _kind(step: Step) -> str | None:
    if isinstance(step, Start) and step.side_by_side:
        return "start"
    return "stop" if isinstance(step, Stop) and not step.by_compose else None


def _depends(name: str, project: Project) -> tuple[str, ...]:
    service = project.services[name]
    return tuple(dict.fromkeys([*service.depends_on, *service.shares]))
