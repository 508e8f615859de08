"""Which service has to go before a machine that runs out of memory freezes, and when that is."""

from collections.abc import Sequence
from typing import NamedTuple

from composer.lab.project import Project
from composer.lab.rules import Rules
from composer.planning.observed import LEASED, Container, Observed

AHEAD_SECONDS = 10.0
"""How far ahead the trend is followed: a stop takes seconds, and a frozen machine takes none."""
WINDOW_SECONDS = 5.0
"""How far back the trend is taken from."""


class Sample(NamedTuple):
    """What was available at a moment: monotonic seconds, bytes."""

    at: float
    available: int


def trend(samples: Sequence[Sample]) -> float:
    """Return the bytes a second by which the available memory changes, over the window; 0 while that is not known."""
    recent = [one for one in samples if samples[-1].at - one.at <= WINDOW_SECONDS]
    seconds = recent[-1].at - recent[0].at if recent else 0.0
    return (recent[-1].available - recent[0].available) / seconds if seconds >= 1.0 else 0.0


def is_pressing(samples: Sequence[Sample], rules: Rules) -> bool:
    """Whether the floor is crossed, or will be soon: the headroom is used already, and the trend leads under the floor."""
    if not samples:
        return False
    available, limits = samples[-1].available, rules.limits
    if available < limits.floor:
        return True
    return available < limits.headroom and available + trend(samples) * AHEAD_SECONDS < limits.floor


def first_to_go(observed: Observed, project: Project, rules: Rules) -> tuple[str, tuple[Container, ...]] | None:
    """Return the service of the lowest priority, with its containers; training last, what is held before that.

    What something else depends on goes only when that is gone; a host without models frees nothing, and goes last.
    """
    running = sorted({one.service for one in observed.active if one.service and one.state != LEASED})

    def worth(name: str) -> tuple[bool, bool, bool, int, int, str]:
        workload = rules.of_service(name)
        models = [rules.workloads[one].priority for one in observed.models if rules.service_of(rules.workloads[one]) == name]
        priority = workload.priority if workload else max(models, default=0)
        load = workload.load_seconds if workload else 0
        is_training, is_empty = workload is not None and workload.class_ == "training", workload is None and not models
        return (is_empty, is_training, observed.hold_of(name) is not None, priority, load, name)

    free = [name for name in running if not project.dependents(name, running)]
    if not free:
        return None
    name = min(free, key=worth)
    return name, tuple(one for one in observed.active if one.service == name and one.state != LEASED)
