"""What a request means: the services and models that shall be active."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydantic import Field

from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.frozen import Frozen
from spark_mode.lab.few import few
from spark_mode.lab.project import Project
from spark_mode.lab.replicas import of_one
from spark_mode.lab.rules import Mode, Rules
from spark_mode.lab.rules_of_project import absent_services, classes_of_mode, classes_of_target, rule_about
from spark_mode.lab.rules_reading import suggest
from spark_mode.lab.suggestion import or_elsewhere
from spark_mode.lab.workload import COMMAND, Workload
from spark_mode.planning.mode import base_services, mode_text
from spark_mode.planning.observed import of_size
from spark_mode.planning.request import ModeRequest, Request, RestoreRequest, RunRequest, StopRequest, UpRequest, split_variant

NAMED = 9
"""How many names are told to somebody who has named something else."""


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


class Taken(NamedTuple):
    """The `request` that takes a word, and `because` of what the word is."""

    because: str
    request: str


class _Collector:
    """Gathers services, models and variants while names are looked up."""

    def __init__(self, project: Project, rules: Rules) -> None:
        self.project, self.rules = project, rules
        self.services: list[str] = []
        self.models: list[str] = []
        self.variants: dict[str, str] = {}
        self.only_outside: list[str] = []

    def profile(self, name: str) -> None:
        services = self.project.of_profile(name)
        self.services += sorted(services, key=self._position)
        if name in self.rules.profiles:
            self.needed(self.rules.profiles[name].models)

    def needed(self, models: tuple[str, ...]) -> None:
        """Take models that are needed, with their hosts."""
        hosts = (self.rules.service_of(self.rules.workloads[model]) for model in models)
        self.services += [host for host in dict.fromkeys(hosts) if host in self.project.services and host not in self.services]
        self.models += models

    def workload(self, workload: Workload) -> None:
        service = self.rules.service_of(workload)
        if workload.only_outside:
            self.only_outside.append(workload.name)
            return
        if service is None:
            self.models.append(workload.name)
            return
        self.service(service, workload.name)
        if workload.model:
            self.models.append(workload.name)
        if workload.variant:
            self.variants[service] = workload.variant

    def service(self, name: str, where: str) -> None:
        """Take a service that `where` in rules.yaml says it runs in. Raises ConfigurationError."""
        if name not in self.project.services:
            said = f'{where}: rules.yaml says it runs in the service "{name}", '
            if meant := self.project.namesakes(name):
                message = f"{said}and several projects have one of that name"
                raise ConfigurationError(message, f"name one of them in rules.yaml: {', '.join(meant)}")
            _require_read(self.project, name, f"{where} runs in the service {name}")
            other = f", or, for a plain command, {COMMAND} in its place" if where in self.rules.workloads else ""
            raise ConfigurationError(
                f"{said}which the Compose files do not have{suggest(name, self.project.services)}",
                f"correct the service in rules.yaml, or add it to the Compose files{other}"
                f"{or_elsewhere(name, self.project.services)}",
            )
        self.services.append(name)

    def _position(self, service: str) -> tuple[int, str]:
        """Order services as rules.yaml does, hosts after workloads: `config` sorts them by name."""
        workload = self.rules.of_service(service)
        return (self.rules.position(workload.name) if workload else len(self.rules.workloads), service)


def resolve(request: Request, project: Project, rules: Rules) -> Target:
    """Return what a request means. Raises UsageFault for unknown names, ConfigurationError where the files disagree."""
    match request:
        case ModeRequest():
            return _mode_target(request, project, rules)
        case UpRequest():
            return _up_target(request, project, rules)
        case RestoreRequest():
            return _restore_target(request, project, rules)
        case RunRequest():
            return Target(services=(), command=_command(request, rules))
        case StopRequest():
            said = tuple(_other_than_profile(request.names, project, rules))
            return Target(services=(), warnings=said) if request.names else Target(services=(), scope=None, mode="idle")


def find_workload(rules: Rules, name: str, also: tuple[str, ...] = ()) -> Workload:
    """Return the workload of a name. Raises UsageFault, with the nearest of the known names and of `also`."""
    if workload := rules.find(name):
        return workload
    base, _, variant = name.rpartition(":")
    if (known := rules.find(base)) and known.variants:
        raise UsageFault(f'unknown variant "{variant}" of {base}; there are {", ".join(known.variants)}')
    known_names = [*rules.workloads, *(alias for one in rules.workloads.values() for alias in one.aliases), *also]
    shown = tuple(dict.fromkeys((*rules.workloads, *also)))
    whole = "; all of them: spark-mode rules" if len(shown) > NAMED + 1 else ""
    raise UsageFault(f'unknown name "{name}"{suggest(name, known_names)}', f"there are {few(shown, NAMED)}{whole}")


def _require_read(project: Project, name: str, said: str) -> None:
    """Raise ConfigurationError where Compose cannot read one of several projects that may have what has this name."""
    if unread := project.unread_with(name):
        hint = (
            "correct that, or, where it is of no project there, name its own under projects in rules.yaml; the others can be used"
        )
        raise ConfigurationError(f"{said}, which no other project has, and {unread}", hint)


def require_one(service: str, project: Project) -> None:
    """Raise UsageFault for the name of which several projects have a service, with how to write each."""
    if service not in project.services and (meant := project.namesakes(service)):
        raise UsageFault(f'several projects have a service "{service}"', f"name one of them: {', '.join(meant)}")


def find_named(name: str, project: Project, rules: Rules, also: tuple[str, ...]) -> Workload:
    """Return the workload of a name, as `find_workload` does, and with how to write the service of one of several projects."""
    if rules.find(name) is None:
        require_one(name, project)
        _require_read(project, name, f'nothing is known of "{name}"')
    return find_workload(rules, name, also)


def _require_profile(profile: str, project: Project) -> None:
    """Raise ConfigurationError when the Compose files do not have a mode's profile."""
    if profile not in project.profiles:
        _require_read(project, profile, f"the mode has the profile {profile}")
        raise ConfigurationError(
            f'the mode\'s profile "{profile}" is not in the Compose files{suggest(profile, project.profiles)}',
            f"the Compose files have {', '.join(project.profiles) or 'no profiles'}; correct modes in rules.yaml"
            f"{or_elsewhere(profile, project.profiles)}",
        )


def _mode_target(request: ModeRequest, project: Project, rules: Rules) -> Target:
    mode = rules.modes.get(request.mode)
    if mode is None:
        raise ConfigurationError(f'this lab has no mode "{request.mode}"', "add it to modes in rules.yaml")
    profile = _profile_of(request, mode, rules)
    collector = _Collector(project, rules)
    if profile is not None:
        _require_profile(profile, project)
        collector.profile(profile)
    for service in mode.services:
        collector.service(service, f"the mode {request.mode}")
    collector.needed(mode.models)
    named = list(collector.services)
    _require_class(request.mode, mode, collector)
    if request.variant:
        _in_variant(collector, rules, request.mode, request.variant)
    for name in request.extra:
        collector.workload(find_workload(rules, name))
    return _target(collector, named, frozenset({mode.class_}), mode_text(rules, request.mode, profile))


def _require_class(name: str, mode: Mode, collector: _Collector) -> None:
    """Raise ConfigurationError where it is not known what class a mode is of, or nothing that it runs is of its class.

    That is allowed only where no rule keeps the class apart from anything: it would not hold for what the mode runs.
    """
    project, rules = collector.project, collector.rules
    services = project.closure(collector.services)
    found = classes_of_target(services, collector.models, rules)
    if mode.class_ in found:
        return
    gone = "; ".join(absent_services(rules, project, services))
    if not mode.class_:
        classes = classes_of_mode(mode, rules, project)
        run = " and ".join(classes) or "nothing with a class"
        hint = f"in rules.yaml: {gone}" if gone and not classes else f"give it one: {_with_a_class(name, mode, classes)}"
        raise ConfigurationError(f"the mode {name} has no class in rules.yaml, and what it runs is {run}", hint)
    if gone or (rule := rule_about(mode.class_, rules)):
        raise ConfigurationError(
            f"the mode {name} is of class {mode.class_}, and nothing that it runs is: {', '.join(services) or 'no service'}",
            f"in rules.yaml: {gone}" if gone else f"rule {rule} would not hold for it; {class_fix(mode.class_, found)}",
        )


def _with_a_class(name: str, mode: Mode, classes: Iterable[str]) -> str:
    """Return how a mode is written that says its class."""
    key, members = ("profiles", mode.profiles) if mode.profiles else ("services", mode.services)
    return f"{name}: {{class: {' or '.join(classes) or 'CLASS'}, {key}: [{', '.join(members)}]}}"


def class_fix(class_: str, found: Iterable[str]) -> str:
    """Return what to do about a mode of a class that nothing is of which it runs; what it runs is of those that were `found`."""
    other = f", or give the mode the class of what it runs: {', '.join(sorted(found))}" if found else ""
    return f"describe what is of class {class_} there under workloads in rules.yaml{other}"


def _profile_of(request: ModeRequest, mode: Mode, rules: Rules) -> str | None:
    """Return the profile that is asked for, or the only one; None for a mode of services. Raises UsageFault."""
    asked, name = request.profile, request.mode
    if asked in mode.profiles:
        return asked
    if asked is None and len(mode.choices) == 1:
        return mode.choices[0]
    if not mode.profiles:
        raise UsageFault(f'{name} has no profile "{asked}", nor any other', f"spark-mode {name}")
    profiles = f"the profiles of {name} are {', '.join(mode.profiles)}"
    if asked is None:
        raise UsageFault(f"{name} is to run in which profile?", profiles)
    taken = taken_by(asked, rules)
    raise UsageFault(
        f'unknown {name} profile "{asked}"{suggest(asked, mode.profiles)}',
        f"{taken.because}: spark-mode {taken.request}" if taken else profiles,
    )


def taken_by(word: str, rules: Rules) -> Taken | None:
    """Return the request that takes a word of the lab, for one that stands in the wrong place; None for an unknown word."""
    mode, variant = split_variant(word, rules.modes)
    if mode in rules.modes and variant in rules.modes[mode].profiles:
        return Taken(f"it is a profile of {mode}", mode_text(rules, mode, variant))
    if mode in rules.modes:
        return Taken("it is a mode", word)
    if name := next((name for name, one in rules.modes.items() if word in one.profiles), None):
        return Taken(f"it is a profile of {name}", mode_text(rules, name, word))
    if word == "idle":
        return Taken("nothing runs then", "stop")
    workload = rules.find(word)
    if workload and workload.command:
        return Taken("it is a plain command", f"run --as {word} -- COMMAND")
    return Taken("it is a workload", f"up {word}") if workload and not workload.only_outside else None


def words_of(rules: Rules) -> Iterator[str]:
    """Yield what `taken_by` has a request for: profiles of modes, workloads and their other names."""
    for mode in rules.modes.values():
        yield from mode.profiles
    for workload in rules.workloads.values():
        yield from () if workload.only_outside and not workload.command else (workload.name, *workload.aliases)


def _in_variant(collector: _Collector, rules: Rules, mode: str, variant: str) -> None:
    """Have those services of a mode that know a variant run in it. Raises UsageFault where none does."""
    workloads = [rules.of_service(service) for service in collector.services]
    sized = [workload for workload in workloads if workload and workload.variants]
    if not any(variant in workload.variants for workload in sized):
        known = [name for workload in sized for name in workload.variants]
        raise UsageFault(
            f'unknown variant "{variant}" of {mode}{suggest(variant, known)}',
            f"the variants are {', '.join(known)}" if known else f"rules.yaml gives {mode} no variants",
        )
    for workload in sized:
        if variant in workload.variants:
            collector.workload(workload.in_variant(variant))


def _up_target(request: UpRequest, project: Project, rules: Rules) -> Target:
    collector = _Collector(project, rules)
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
    target = _target(collector, collector.services, frozenset(), None, base=profiled)
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
        _require_read(project, request.names[0], f"{', '.join(request.names)} ran before")
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


def _target(collector: _Collector, named: list[str], scope: frozenset[str], mode: str | None, base: bool = True) -> Target:
    project = collector.project
    for name in collector.services:
        if project.services[name].replicas == 0:
            raise ConfigurationError(
                f"{name} has 0 replicas in the Compose files, so there is nothing to start",
                "to have it started give it deploy.replicas 1, or no such line, which is the same",
            )
    along = base_services(project, collector.rules, collector.services) if base else ()
    services = project.closure([*collector.services, *along])
    return Target(
        services=services,
        named=project.closure([*named, *collector.services]),
        models=tuple(dict.fromkeys(collector.models)),
        variants=collector.variants,
        scope=scope,
        mode=mode,
        only_outside=tuple(dict.fromkeys(collector.only_outside)),
    )
