"""What the user asks for: a mode, more beside what runs, an end, or what ran before."""

from collections.abc import Collection, Iterator
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from spark_mode.errors import UsageFault
from spark_mode.frozen import Frozen
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.size import size_text
from spark_mode.lab.suggestion import suggest
from spark_mode.planning.mode import mode_text


class _Switch(Frozen):
    """What every request may say: `extra` are the names given by --with, `force` admits oom-risk and unknown memory.

    `drop_caches` has the kernel give the page cache back between the stops and the starts.
    `ready_seconds` bounds the readiness of each service; None takes each service's own bound.
    """

    extra: tuple[str, ...] = ()
    force: bool = False
    drop_caches: bool = False
    ready_seconds: float | None = None

    def _with_extra(self, words: str) -> str:
        return " ".join([words, *(f"--with {name}" for name in self.extra)])


class ModeRequest(_Switch):
    """A mode of rules.yaml, in one of its profiles where it has several, and in a variant other than the Compose file's."""

    verb: Literal["to"] = "to"
    mode: str
    profile: str | None = None
    variant: str | None = None

    def __str__(self) -> str:
        words = self.mode if self.profile is None else f"{self.mode} {self.profile}"
        return self._with_extra(f"{words}:{self.variant}" if self.variant else words)

    @model_validator(mode="before")
    @classmethod
    def _read_former(cls, data: Any) -> Any:
        """Read a request of the first releases, whose verbs were the modes `audio PROFILE` and `training[:VARIANT]`."""
        if not (isinstance(data, dict) and data.get("verb") in _FORMER):
            return data
        word = next(iter(data.get("names", ())), None)
        return {**data, "verb": "to", "mode": data["verb"], _FORMER[data["verb"]]: word}


_FORMER = {"audio": "profile", "training": "variant"}


class UpRequest(_Switch):
    """Profiles, workloads or services beside what runs."""

    verb: Literal["up"] = "up"
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self._with_extra(" ".join([self.verb, *self.names]))


class StopRequest(_Switch):
    """The end of what is named, or of everything; `alone` leaves what depends on it."""

    verb: Literal["stop"] = "stop"
    names: tuple[str, ...] = ()
    alone: bool = False

    def __str__(self) -> str:
        return " ".join([self.verb, *self.names, *(["--alone"] if self.alone else [])])


class RestoreRequest(_Switch):
    """The mode before: its services are the names, its models `extra`, and `variants` are by service.

    What was added `beside` it since stays where it may; it is not started.
    """

    verb: Literal["restore"] = "restore"
    names: tuple[str, ...] = ()
    variants: dict[str, str] = Field(default_factory=dict)
    beside: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.verb

    def without(self, services: Collection[str], rules: Rules) -> "RestoreRequest":
        """Return it without these services and the models that they serve."""
        hosts = {model: rules.service_of(rules.workloads[model]) for model in self.extra if model in rules.workloads}
        extra = tuple(model for model in self.extra if hosts.get(model) not in services)
        names = tuple(name for name in self.names if name not in services)
        return self.model_copy(update={"names": names, "extra": extra})


class RunRequest(_Switch):
    """A plain command as a workload, named as it is typed and in a variant or with a size of its own, in bytes.

    `title` is the command for people. Its words are not here: requests are written down, and options may hold secrets.
    """

    verb: Literal["run"] = "run"
    name: str
    title: str
    size: int | None = None

    def __str__(self) -> str:
        size = "" if self.size is None else f" --footprint {size_text(self.size)}"
        return f"{self.verb} --as {self.name}{size} -- {self.title}"


def _kind(data: Any) -> str:
    verb = data.get("verb") if isinstance(data, dict) else data.verb
    return "to" if verb in _FORMER else str(verb)


Request = Annotated[
    Annotated[ModeRequest, Tag("to")]
    | Annotated[UpRequest, Tag("up")]
    | Annotated[StopRequest, Tag("stop")]
    | Annotated[RestoreRequest, Tag("restore")]
    | Annotated[RunRequest, Tag("run")],
    Discriminator(_kind),
]
"""What was asked for; `str(request)` is how it is typed."""


def to_mode(rules: Rules, word: str, profile: str | None = None) -> ModeRequest:
    """Return the request for `MODE[:VARIANT]`, or `MODE PROFILE[:VARIANT]`. Raises UsageFault for an unknown mode."""
    name, variant = split_variant(word, rules.modes)
    mode = rules.modes.get(name)
    if mode is None:
        known = ", ".join(rules.modes)
        raise UsageFault(
            f'this lab has no mode "{name}"{suggest(name, rules.modes)}',
            f"its modes are {known}" if known else "add it to modes in rules.yaml",
        )
    if profile is None and variant in mode.profiles:
        raise UsageFault(f'"{variant}" is a profile of {name}, no variant', f"spark-mode {mode_text(rules, name, variant)}")
    if profile is not None:
        profile, own = split_variant(profile, mode.profiles)
        variant = own or variant
    return ModeRequest(mode=name, profile=profile, variant=variant)


def in_lab_names(request: Request, project: Project) -> Request:
    """Return a request with the names that a lab of several Compose projects has for what is written as `project/name`."""
    if not project.parts:
        return request
    match request:
        case ModeRequest():
            profile = request.profile and project.profile_known_as(request.profile)
            return request.model_copy(update={"profile": profile, "extra": tuple(map(project.known_as, request.extra))})
        case UpRequest() | StopRequest():
            asked, extra = tuple(map(project.asked_as, request.names)), tuple(map(project.known_as, request.extra))
            return request.model_copy(update={"names": asked, "extra": extra})
        case RestoreRequest():
            variants = {project.known_as(name): variant for name, variant in request.variants.items()}
            names, beside = (tuple(map(project.known_as, names)) for names in (request.names, request.beside))
            return request.model_copy(update={"names": names, "beside": beside, "variants": variants})
        case RunRequest():
            return request.model_copy(update={"name": project.known_as(request.name)})


def split_variant(word: str, known: Collection[str]) -> tuple[str, str | None]:
    """Part a name from the variant behind it. An exact name comes first: the colon may belong to it."""
    base, _, variant = word.rpartition(":")
    return (base, variant) if word not in known and base in known else (word, None)


def mode_requests(rules: Rules) -> Iterator[tuple[str | None, ModeRequest]]:
    """Yield the profile, or None for a mode of services, and the request for each mode in each of its profiles."""
    for name, mode in rules.modes.items():
        for profile in mode.choices:
            yield profile, ModeRequest(mode=name, profile=profile if mode_text(rules, name, profile) != name else None)


def requests_for_modes(rules: Rules, project: Project) -> list[ModeRequest]:
    """Return the request for each mode in each of those of its profiles that the Compose files have."""
    return [request for profile, request in mode_requests(rules) if profile in (None, *project.profiles)]
