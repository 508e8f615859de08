"""What a request means: the services and models that shall be active."""

from collections.abc import Iterable, Iterator

from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.lab.few import few
from spark_mode.lab.project import Project
from spark_mode.lab.replicas import of_one
from spark_mode.lab.rules import Rules
from spark_mode.lab.workload import Workload
from spark_mode.planning.collector import Collector
from spark_mode.planning.mode_target import mode_target
from spark_mode.planning.named_workload import NAMED, find_named, find_workload, require_read
from spark_mode.planning.observed import of_size
from spark_mode.planning.request import ModeRequest, Request, RestoreRequest, RunRequest, StopRequest, UpRequest
from spark_mode.planning.target import Target


def resolve(request: Request, project: Project, rules: Rules) -> Target:
    """Return what a request means. Raises UsageFault for unknown names, ConfigurationError where the files disagree."""
    match request:
        case ModeRequest():
            return mode_target(request, project, rules)
        case UpRequest():
            return _up_target(request, project, rules)
        case RestoreRequest():
            return _restore_target(request, project, rules)
        case RunRequest():
            return Target(services=(), command=_command(request, rules))
        case StopRequest():
            said = tuple(_other_than_profile(request.names, project, rules))
            return Target(services=(), warnings=said) if request.names else Target(services=(), scope=None, mode="idle")


def _up_target(request: UpRequest, project: Project, rules: Rules) -> Target:
    collector = Collector(project, rules)
    profiled = False
    for name in request.names:
        if name in project.profiles:
            collector.profile(name)
            profiled = True
        elif name in project.services and rules.find(name) is None:
            collector.services.append(name)
        elif name in rules.modes and rules.find(name) is None:
            profiles = rules.modes[name].profiles
            which = f"in one of {few(profiles, NAMED)}: spark-mode {name} PROFILE" if len(profiles) > 1 else f"spark-mode {name}"
            raise UsageFault(f'"{name}" is a mode, and is asked for as one', which)
        else:
            collector.workload(find_named(name, project, rules, (*project.profiles, *project.services)))
    for name in request.extra:
        collector.workload(find_workload(rules, name))
    target = collector.target(collector.services, frozenset(), None, base=profiled)
    return target.model_copy(update={"warnings": tuple(_other_than_profile(request.names, project, rules))})


def _other_than_profile(names: Iterable[str], project: Project, rules: Rules) -> Iterator[str]:
    """Say of which names the profile is meant where a workload that is something else has that name, too."""
    for name in names:
        workload = rules.find(name) if name in project.profiles else None
        if workload and rules.service_of(workload) not in project.of_profile(name):
            yield f"{name} is the profile here, and not the workload {workload.name}, which is none of it"


def _restore_target(request: RestoreRequest, project: Project, rules: Rules) -> Target:
    """Return what ran before, as far as the files still know it: they may have changed since.

    Raises ConfigurationError when they know nothing of it: then nothing is stopped for it.
    """
    if request.names and not ({*request.names} & {*project.services} or {*request.extra} & {*rules.workloads}):
        require_read(project, request.names[0], f"{', '.join(request.names)} ran before")
        raise ConfigurationError(
            f"what ran before is no longer in the Compose files: {', '.join(request.names)}",
            f"put it back there, or ask for a mode: {', '.join(rules.modes)}",
        )
    missing = {name: project.unread_with(name) for name in request.names if name not in project.services}
    why = {name: f", and {unread}" if unread else " and is no longer in the Compose files" for name, unread in missing.items()}
    gone = [f"{name} ran before{why[name]}" for name in missing]
    models = tuple(name for name in request.extra if name in rules.workloads and rules.workloads[name].model)
    gone += [f"{name} was admitted before and is no longer a model in rules.yaml" for name in request.extra if name not in models]
    services = project.closure(name for name in request.names if name in project.services)
    return Target(
        services=services,
        named=services,
        models=models,
        variants={
            name: variant
            for name, variant in request.variants.items()
            if (workload := rules.of_service(name)) and variant in workload.variants
        },
        scope=None,
        beside=(*request.beside, *(name for name in request.names if name not in project.services)),
        warnings=tuple(gone),
    )


def _command(request: RunRequest, rules: Rules) -> Workload:
    """Return what a plain command counts as. Raises UsageFault for a model, which only its host loads."""
    workload = of_one(find_workload(rules, request.name))
    if workload.model:
        message = f"{workload.name} is a model of {workload.host}, and no command"
        raise UsageFault(message, f"have it loaded: spark-mode up {workload.name} --with {workload.name}")
    return of_size(workload, request.size or workload.footprint.planned)
