"""A target, and what it means to the rules and the budget, beside what already runs."""

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import Field

from spark_mode.errors import ConfigurationError
from spark_mode.frozen import Frozen
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.service import Service
from spark_mode.lab.workload import Workload
from spark_mode.planning.conflicts import Member, conflict_with, foreign_member, member
from spark_mode.planning.observed import Observed, running_workload

RENAME_IT = "give that workload another name in rules.yaml"
"""What to do about a workload that is called like a service which it is not."""
DESCRIBE_IT = "describe it under workloads in rules.yaml"
"""What to do about a service that has no workload."""


class Target(Frozen):
    """What shall be active: services in start order, the models that are admitted, and variants by service.

    `scope` names the classes that shall be exactly this and nothing more; None means every class. `named` are the
    services that were asked for and must never be left out; the rest came along because they have no profile. `only_outside`
    are the workloads asked for that are never the lab's to start, `beside` what may stay of
    a class that is to be exact. `command` is the workload that a plain command is to be.
    """

    services: tuple[str, ...]
    named: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    variants: dict[str, str] = Field(default_factory=dict)
    scope: frozenset[str] | None = frozenset()
    mode: str | None = None
    only_outside: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    command: Workload | None = None
    warnings: tuple[str, ...] = ()


class Fault(NamedTuple):
    """What is wrong, and what mends it."""

    message: str
    fix: str


def members(target: Target, rules: Rules) -> tuple[Member, ...]:
    """Return what the rules see of a target: its services and models.

    A host is there for all that it may serve, which any client can load, behind the models that are asked of it.
    """
    asked = {rules.service_of(rules.workloads[model]) for model in target.models}
    alone, hosts = [[name for name in target.services if (name in asked) is behind] for behind in (False, True)]
    command = [foreign_member(rules, target.command.name)] if target.command else []
    return (*(member(rules, name) for name in (*alone, *target.models, *hosts)), *command)


def leave_out_excluded(target: Target, project: Project, rules: Rules) -> Target:
    """Return the target without services that only came along (no profile) and that a rule excludes beside what is asked for.

    What depends on one that is left out is left out with it.
    """
    asked_for = members(target.model_copy(update={"services": target.named}), rules)
    kept, came, left_out = [], list[Member](), dict[str, str]()
    for name in target.services:  # dependencies first
        one = member(rules, name)
        needed = next((other for other in project.closure([name]) if other in left_out), None)
        if name in target.named:
            kept.append(name)
        elif needed:
            left_out[name] = f"it depends on {needed}"
        elif found := conflict_with(rules, one, asked_for, came):
            left_out[name] = found.rule.because
        else:
            kept.append(name)
            came.append(one)
    said = (
        f"{name}{'' if project.services[name].profiles else ', which belongs to every mode,'} is not started: {because}"
        for name, because in left_out.items()
    )
    warnings = (*target.warnings, *said)
    return target.model_copy(update={"services": tuple(kept), "warnings": warnings})


def name_clash(project: Project, rules: Rules) -> str | None:
    """Return which service has the name of a workload that is another thing, in words; None where each is known by its name."""
    for name in project.services:
        other = rules.workloads.get(name)
        if other and other.service != name and (other.service is None or other.service in project.services):
            what = f"the model {other.model} of {other.host}" if other.model else f"the service {other.service}"
            what = "no service, and known only outside" if other.only_outside else what
            what = "a plain command" if other.command else what
            return f'"{name}" is a service of the Compose files, and in rules.yaml a workload that is {what}'
    return None


def ambiguous_names(project: Project, rules: Rules) -> Iterator[tuple[str, Fault]]:
    """Yield where rules.yaml has a name of which several projects have a service: each of these counts as what it names."""
    for section, entries in (("workloads", rules.workloads), ("hosts", rules.hosts)):
        for name, entry in entries.items():
            if entry.service and entry.service not in project.services and (meant := project.namesakes(entry.service)):
                message = f'it runs in the service "{entry.service}", and several projects have one of that name'
                yield f"{section}/{name}", Fault(message, f"name one of them in rules.yaml: {', '.join(meant)}")


def require_names(project: Project, rules: Rules) -> None:
    """Raise ConfigurationError where a name in rules.yaml may be that of another thing, for which the rules would hold."""
    if clash := name_clash(project, rules):
        raise ConfigurationError(clash, RENAME_IT)
    for where, fault in ambiguous_names(project, rules):
        raise ConfigurationError(f"{where.partition('/')[2]}: rules.yaml says {fault.message}", fault.fix)


def require_startable(target: Target, project: Project, rules: Rules) -> None:
    """Raise ConfigurationError when a service of the target cannot be used, or what it takes is not known."""
    require_usable(target, project)
    require_described(target, project, rules)
    require_together(target, project)


def require_described(target: Target, project: Project, rules: Rules) -> None:
    """Raise ConfigurationError when the memory of services of the target is not known; a default is for what has no GPU."""
    unknown = [name for name in target.services if not is_described(name, project, rules)]
    if with_gpu := [name for name in unknown if project.services[name].reserves_gpu]:
        ask, have = ("asks", "has") if len(with_gpu) == 1 else ("ask", "have")
        raise ConfigurationError(
            f"{', '.join(with_gpu)} {ask} for a GPU and {have} no workload in rules.yaml, so the memory is not known",
            f"{DESCRIBE_IT}; a default_footprint is for what has no GPU",
        )
    if unknown:
        raise ConfigurationError(
            f'the service "{unknown[0]}" has no workload in rules.yaml, so its memory is not known',
            f"{DESCRIBE_IT}, or give all such services a default_footprint",
        )


def require_together(target: Target, project: Project) -> None:
    """Raise ConfigurationError for replicas of a service of the target that cannot run together."""
    for service in (project.services[name] for name in target.services):
        if found := fault_of_replicas(service):
            raise ConfigurationError(f"{service.name}: {found.message}", found.fix)


def fault_of_replicas(service: Service) -> Fault | None:
    """Return why all replicas that a service has cannot be started."""
    if service.replicas < 2 or not service.ports:
        return None
    message = f"only one of its {service.replicas} replicas can have {service.ports[0]}"
    return Fault(message, "publish a range of ports, or none")


def require_usable(target: Target, project: Project) -> None:
    """Raise ConfigurationError when Compose cannot resolve what a service of the target belongs to."""
    if target.services and (nothing := project.unusable.get("")):
        raise ConfigurationError(f"nothing can be started, for Compose resolves none of it: {nothing}", "correct that")
    for name in target.services:
        if fault := project.fault_of(name):
            hint = "correct that; what does not need it can be used"
            raise ConfigurationError(f'the service "{name}" cannot be used: {fault}', hint)


def is_described(service: str, project: Project, rules: Rules) -> bool:
    """Whether rules.yaml says what a service takes: it is a workload or a host, or has no GPU and there is a default."""
    if rules.host_of_service(service) or rules.of_service(service):
        return True
    known = project.services.get(service)
    return running_workload(rules, service, None) is not None and not (known and known.reserves_gpu)


def variant_of(service: str, target: Target, rules: Rules, observed: Observed) -> str | None:
    """Return the variant in which a service of the target shall run: as asked, else as it runs, else the default."""
    workload = rules.of_service(service)
    if workload is None or not workload.variants:
        return None
    container = observed.container_of(service)
    running = container.variant or workload.default_variant if container and container.active else None
    return target.variants.get(service) or running or workload.default_variant


def is_other_variant(service: str, target: Target, rules: Rules, observed: Observed) -> bool:
    """Whether a service runs in another variant than the one that is asked for."""
    container, workload = observed.container_of(service), rules.of_service(service)
    if container is None or not container.active or workload is None or service not in target.variants:
        return False
    return (container.variant or workload.default_variant) != target.variants[service]


def workloads(target: Target, rules: Rules, observed: Observed) -> tuple[Workload, ...]:
    """Return the workloads of the target: its services in their variants, its models, and what a command is to be."""
    found = [running_workload(rules, name, variant_of(name, target, rules, observed)) for name in target.services]
    command = [target.command] if target.command else []
    return (*(one for one in found if one), *(rules.workloads[model] for model in target.models), *command)
