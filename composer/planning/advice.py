"""What a plan says beside its steps: nothing here stops a switch, and a careful person would want to know it."""

from collections.abc import Iterator

from composer.lab.project import Project
from composer.lab.rules import Rules
from composer.planning.observed import Container, Observed
from composer.planning.request import Target
from composer.planning.target import variant_of

SHORT_GRACE = 60
"""Seconds; a training that gets less to write its checkpoint may lose it."""


def warnings(target: Target, project: Project, rules: Rules, observed: Observed, remaining: Observed) -> Iterator[str]:
    """Yield what is worth knowing of the target, of what stays and of what is stopped."""
    for container in remaining.active:
        if container.service in project.services and container.service in target.services:
            yield from _kept(container, target, project, rules, observed)
        elif container.one_off:
            yield f"{container.name} is a one-off container of {container.service} and stays"
    for name in _with_training(target, rules, observed):
        yield from _grace(name, project, observed)
    loaded = [model for model in target.models if model not in observed.models]
    if loaded:
        yield f"{', '.join(loaded)}: budgeted; the first request to its host loads it"


def _kept(container: Container, target: Target, project: Project, rules: Rules, observed: Observed) -> Iterator[str]:
    service = project.services[container.service or ""]
    varied = container.variant or variant_of(service.name, target, rules, observed) != _default(service.name, rules)
    if container.config_hash != service.config_hash and not varied:
        yield (
            f"{service.name} runs with an earlier definition and is kept; "
            f"spark-mode stop {service.name}, then the same request, applies the new one"
        )
    if container.health == "unhealthy":
        yield f"{service.name} is unhealthy and is kept; look at its log: docker logs {container.name}"


def _default(service: str, rules: Rules) -> str | None:
    workload = rules.of_service(service)
    return workload.default_variant if workload else None


def _with_training(target: Target, rules: Rules, observed: Observed) -> tuple[str, ...]:
    names = dict.fromkeys([*target.services, *observed.active_services])
    return tuple(name for name in names if (one := rules.of_service(name)) and one.class_ == "training")


def _grace(name: str, project: Project, observed: Observed) -> Iterator[str]:
    container = observed.container_of(name)
    if container and container.active:
        grace: float = container.stop_seconds
    elif name in project.services:
        grace = project.services[name].stop_grace_seconds
    else:
        return
    if grace < SHORT_GRACE:
        yield f"{name} has {grace:g} s to write its checkpoint before it is killed; raise its stop_grace_period"
    file_grace = project.services[name].stop_grace_seconds if name in project.services else grace
    if container and container.active and file_grace != container.stop_seconds:
        yield f"{name} keeps the {container.stop_seconds} s of grace it was created with; the file now says {file_grace:g} s"
