"""What has done its part once it has ended: for which services exit 0 is success, and which have come to that end.

A service that ends by itself, such as one that fetches a model, is part of a mode like any other. What was running and was
stopped often ends with 0 as well, and Docker does not tell the one from the other. So exit 0 counts as completed where others
await that, or where a switch saw the service end by itself; and of a helper that ended after its switch, while its mode is on.
"""

from collections.abc import Iterable, Sequence

from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.planning.container import Container
from spark_mode.planning.observed import Observed


def ends_well(names: Iterable[str], project: Project, rules: Rules) -> frozenset[str]:
    """Return those of these services for which exit 0 is success, long runs included."""
    return frozenset(name for name in names if rules.runs_to_end(rules.of_service(name)) or _may_end(name, project, rules))


def has_ended(name: str, observed: Observed, project: Project, rules: Rules) -> bool:
    """Whether a service that runs until it is done, and is no long run, has left a container with exit code 0."""
    container = observed.container_of(name)
    if container is None or container.state != "exited" or container.exit_code != 0:
        return False
    return _may_end(name, project, rules) and is_end_of(container, name, project, rules)


def is_end_of(container: Container, name: str, project: Project, rules: Rules) -> bool:
    """Whether exit 0 of this container may be the end of a service that `ends_well`: its image may have a health check that the
    files say nothing of, which expects it to run on.
    """
    return not container.checked or name in project.awaited or rules.runs_to_end(rules.of_service(name))


def completed_services(observed: Observed, project: Project, rules: Rules) -> frozenset[str]:
    """Return the services that are up as far as they can be: they have ended, and nobody is known to have stopped them."""
    left = {one.service for one in observed.containers if one.exit_code == 0}  # few: each look asks this of each service
    ended = (name for name in project.services if name in left and has_ended(name, observed, project, rules))
    return frozenset(one for one in ended if _is_certain(one, observed, project) or _is_helper(one, observed, project, rules))


def completed_of(names: Sequence[str], is_mode: bool, observed: Observed, project: Project, rules: Rules) -> frozenset[str]:
    """Return those of a target's services that have completed and are not started again.

    Of a helper nobody knows whether it came to its end or was stopped by hand: it is left alone only where a mode is asked for of
    which all else runs.
    """
    completed = completed_services(observed, project, rules).intersection(names)
    running = [name for name in names if (seen := observed.container_of(name)) and seen.active]
    if is_mode and running and completed.issuperset(set(names).difference(running)):
        return completed
    return frozenset(name for name in completed if _is_certain(name, observed, project))


def _is_certain(name: str, observed: Observed, project: Project) -> bool:
    container = observed.container_of(name)
    return name in project.awaited or bool(container and container.id in observed.endings.completed)


def _is_helper(name: str, observed: Observed, project: Project, rules: Rules) -> bool:
    """Whether a service that ended may have been done: nothing describes it or depends on it, and no switch has stopped it."""
    container = observed.container_of(name)
    is_needed = any(name in (*other.depends_on, *other.shares) for other in project.services.values())
    is_described = rules.of_service(name) is not None or rules.host_of_service(name) is not None
    return bool(container and container.id not in observed.endings.stopped) and not is_described and not is_needed


def _may_end(name: str, project: Project, rules: Rules) -> bool:
    service = project.services.get(name)
    may_end = service is not None and (service.may_complete or name in project.awaited)
    return may_end and not rules.runs_to_end(rules.of_service(name))
