"""What the user asked for, and the services and models that it means."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from pydantic import Field

from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.frozen import Frozen
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_reading import suggest
from spark_mode.lab.workload import Workload
from spark_mode.planning.mode import mode_text

Verb = Literal["audio", "training", "up", "stop", "restore"]


class Request(Frozen):
    """A verb and its names; `extra` are the names given by --with, `force` admits oom-risk and unknown memory.

    `drop_caches` has the kernel give the page cache back between the stops and the starts.

    `ready_seconds` bounds the readiness of each service; None takes each service's own bound.
    For `restore` the names are the services of the mode before, `extra` its models and `variants` its variants.
    """

    verb: Verb
    names: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    variants: dict[str, str] = Field(default_factory=dict)
    force: bool = False
    drop_caches: bool = False
    ready_seconds: float | None = None

    def __str__(self) -> str:
        names = () if self.verb == "restore" else self.names
        glue = ":" if self.verb == "training" and names else " "
        return " ".join([glue.join([self.verb, *names]), *(f"--with {name}" for name in self.extra if self.verb != "restore")])


class Target(Frozen):
    """What shall be active: services in start order, the models that are admitted, and variants by service.

    `scope` names the classes that shall be exactly this and nothing more; None means every class. `named` are the
    services that were asked for and must never be left out; the rest came along because they have no profile.
    """

    services: tuple[str, ...]
    named: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    variants: dict[str, str] = Field(default_factory=dict)
    scope: frozenset[str] | None = frozenset()
    mode: str | None = None
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

    def profile(self, name: str) -> None:
        services = self.project.of_profile(name)
        self.services += sorted(services, key=self._position)
        if name in self.rules.profiles:
            self.models += self.rules.profiles[name].models

    def workload(self, workload: Workload) -> None:
        service = self.rules.service_of(workload)
        if service is None:
            self.models.append(workload.name)
            return
        if service not in self.project.services:
            raise ConfigurationError(
                f'{workload.name}: rules.yaml says it runs in the service "{service}", which the Compose files do not have'
                + suggest(service, self.project.services),
                "correct the service in rules.yaml, or add it to the Compose files",
            )
        self.services.append(service)
        if workload.model:
            self.models.append(workload.name)
        if workload.variant:
            self.variants[service] = workload.variant

    def _position(self, service: str) -> tuple[int, str]:
        """Order services as rules.yaml does, hosts after workloads: `config` sorts them by name."""
        workload = self.rules.of_service(service)
        return (self.rules.position(workload.name) if workload else len(self.rules.workloads), service)


def resolve(request: Request, project: Project, rules: Rules) -> Target:
    """Return what a request means. Raises UsageFault for unknown names, ConfigurationError where the files disagree."""
    match request.verb:
        case "audio" | "training":
            return _mode_target(request, project, rules)
        case "up":
            return _up_target(request, project, rules)
        case "restore":
            return _restore_target(request, project, rules)
        case "stop":
            return Target(services=(), scope=frozenset()) if request.names else Target(services=(), scope=None, mode="idle")


def find_workload(rules: Rules, name: str, also: tuple[str, ...] = ()) -> Workload:
    """Return the workload of a name. Raises UsageFault, with the nearest of the known names and of `also`."""
    if workload := rules.find(name):
        return workload
    base, _, variant = name.rpartition(":")
    if (known := rules.find(base)) and known.variants:
        raise UsageFault(f'unknown variant "{variant}" of {base}; there are {", ".join(known.variants)}')
    known_names = [*rules.workloads, *(alias for one in rules.workloads.values() for alias in one.aliases), *also]
    raise UsageFault(f'unknown name "{name}"{suggest(name, known_names)}', f"known are {', '.join(dict.fromkeys(known_names))}")


def mode_requests(rules: Rules) -> Iterator[tuple[str, Request]]:
    """Yield each profile that a mode's verb can ask for, with that request."""
    for name, mode in rules.modes.items():
        if name == "audio":
            yield from ((profile, Request(verb=name, names=(profile,))) for profile in mode.profiles)
        elif name == "training":
            yield mode.profiles[0], Request(verb=name)


def _require_profile(profile: str, project: Project) -> None:
    """Raise ConfigurationError when the Compose files do not have a mode's profile."""
    if profile not in project.profiles:
        raise ConfigurationError(
            f'the mode\'s profile "{profile}" is not in the Compose files{suggest(profile, project.profiles)}',
            f"the Compose files have {', '.join(project.profiles) or 'no profiles'}; correct modes in rules.yaml",
        )


def _mode_target(request: Request, project: Project, rules: Rules) -> Target:
    mode = rules.modes.get(request.verb)
    if mode is None:
        raise ConfigurationError(f'this lab has no mode "{request.verb}"', "add it to modes in rules.yaml")
    collector = _Collector(project, rules)
    if request.verb == "audio":
        profile = request.names[0]
        if profile not in mode.profiles:
            taken = taken_by(profile, rules)
            raise UsageFault(
                f'unknown audio profile "{profile}"{suggest(profile, mode.profiles)}',
                f"{taken.because}: spark-mode {taken.request}" if taken else f"the audio profiles are {', '.join(mode.profiles)}",
            )
    else:
        profile = mode.profiles[0]
    _require_profile(profile, project)
    collector.profile(profile)
    named = list(collector.services)
    if request.verb == "training" and request.names:
        _training_variant(collector, rules, project, profile, request.names[0])
    for name in request.extra:
        collector.workload(find_workload(rules, name))
    return _target(collector, project, named, frozenset({mode.class_}), mode_text(request.verb, profile))


def taken_by(word: str, rules: Rules) -> Taken | None:
    """Return the request that takes a word of the lab, for one that stands in the wrong place; None for an unknown word."""
    mode, _, rest = word.partition(":")
    profile = rest if mode == "audio" else word
    if "audio" in rules.modes and profile in rules.modes["audio"].profiles:
        return Taken("it is an audio profile", f"audio {profile}")
    if mode == "training" and mode in rules.modes:
        return Taken("it is a mode", word)
    if word == "idle":
        return Taken("nothing runs then", "stop")
    return Taken("it is a workload", f"up {word}") if rules.find(word) else None


def _training_variant(collector: _Collector, rules: Rules, project: Project, profile: str, variant: str) -> None:
    workloads = [rules.of_service(service) for service in project.of_profile(profile)]
    sized = [workload for workload in workloads if workload and workload.variants]
    if not any(variant in workload.variants for workload in sized):
        known = [name for workload in sized for name in workload.variants]
        raise UsageFault(
            f'unknown variant "{variant}" of training{suggest(variant, known)}',
            f"the variants are {', '.join(known)}" if known else "rules.yaml gives training no variants",
        )
    for workload in sized:
        if variant in workload.variants:
            collector.workload(workload.in_variant(variant))


def _up_target(request: Request, project: Project, rules: Rules) -> Target:
    collector = _Collector(project, rules)
    profiled = False
    for name in request.names:
        if name in project.profiles:
            collector.profile(name)
            profiled = True
        elif name in project.services and rules.find(name) is None:
            collector.services.append(name)
        else:
            collector.workload(find_workload(rules, name, (*project.profiles, *project.services)))
    for name in request.extra:
        collector.workload(find_workload(rules, name))
    return _target(collector, project, collector.services, frozenset(), None, base=profiled)


def _restore_target(request: Request, project: Project, rules: Rules) -> Target:
    """Return what ran before, as far as the files still know it: they may have changed since."""
    gone = [f"{name} ran before and is no longer in the Compose files" for name in request.names if name not in project.services]
    gone += [
        f"{name} was admitted before and is no longer in rules.yaml" for name in request.extra if name not in rules.workloads
    ]
    services = project.closure(name for name in request.names if name in project.services)
    return Target(
        services=services,
        named=services,
        models=tuple(name for name in request.extra if name in rules.workloads),
        variants={
            name: variant
            for name, variant in request.variants.items()
            if (workload := rules.of_service(name)) and variant in workload.variants
        },
        scope=None,
        warnings=tuple(gone),
    )


def _target(
    collector: _Collector, project: Project, named: list[str], scope: frozenset[str], mode: str | None, base: bool = True
) -> Target:
    services = project.closure([*collector.services, *(project.without_profile if base else ())])
    return Target(
        services=services,
        named=project.closure([*named, *collector.services]),
        models=tuple(dict.fromkeys(collector.models)),
        variants=collector.variants,
        scope=scope,
        mode=mode,
    )
