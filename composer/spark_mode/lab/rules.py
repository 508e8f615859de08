"""The rules of a lab as frozen models: what workloads need, what may run together, which modes there are.

`rules.yaml` is the only place for facts and rules; `read_rules` in `rules_reading` makes these models from it.
All sizes are bytes.
"""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic.json_schema import SkipJsonSchema

from spark_mode.lab.size import GB, Size, SizeOrAuto
from spark_mode.lab.workload import Footprint, Name, Range, Strict, Text, Workload, tagged


class Limits(Strict):
    """Where the verdict on a total changes, in bytes; `headroom` must stay free, under `floor` a start is aborted.

    `release_seconds` is how long the memory of what was stopped may take to come back.
    """

    fits_easily: Size
    fits: Size
    tight: Size
    headroom: Size
    floor: Size
    release_seconds: Annotated[float, Field(gt=0, strict=False, allow_inf_nan=False)] = 120.0

    @model_validator(mode="after")
    def _ordered(self) -> "Limits":
        if not self.fits_easily <= self.fits <= self.tight:
            raise ValueError("the limits must rise: fits_easily <= fits <= tight")
        if not self.floor < self.headroom:
            raise ValueError("the floor must lie below the headroom")
        return self


class Burst(Strict):
    """What may come on top for moments; shown beside the budget, never counted in it."""

    cuda_context: Range
    kv_cache: Range


class Overhead(Strict):
    """What the system takes: once, and for each class in a set."""

    system: Size
    per_class: Size
    burst: Burst


class Hardware(Strict):
    """The machine. `capacity` is its memory in bytes, or `auto` for what the kernel calls MemTotal."""

    name: str
    capacity: SizeOrAuto
    facts: dict[str, str] = Field(default={})


class WorkloadClass(Strict):
    """A kind of workload; `kv_cache` says that each of its workloads may grow one.

    What `runs_to_end` is a long run: asked about before a stop, never stopped for memory, done when it exits with 0.
    """

    description: str
    kv_cache: bool = False
    runs_to_end: bool = False


class ProfileNeeds(Strict):
    """The models that a Compose profile needs from their host."""

    models: tuple[Name, ...] = Field(strict=False)


class Host(Strict):
    """What serves models: a Compose service, a `unit` that systemd runs, or a daemon outside Docker when it has only an address.

    It has no footprint of its own, its models have. `port` is where its API listens inside the service's container.
    """

    service: Name | None = None
    unit: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9:_.@-]*\.service$", max_length=255)] | None = None
    address: Annotated[str, Field(pattern=r"^http://[a-zA-Z0-9.:\[\]-]+$")] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 11434

    @model_validator(mode="after")
    def _somewhere(self) -> "Host":
        if self.service is None and self.address is None:
            raise ValueError("give the service that it is, or the address of a daemon outside Docker")
        if self.unit and (self.service or self.address is None):
            raise ValueError("a unit is what systemd runs outside Docker: give it with an address, and without a service")
        if self.address and not _leads_somewhere(self.address):
            raise ValueError("the address is http://NAME:PORT")
        return self


def _leads_somewhere(address: str) -> bool:
    """Whether an address has a name, and a port that there is, if any."""
    try:
        at = urlsplit(address)
        return bool(at.hostname) and at.port != 0
    except ValueError:
        return False


class Mode(Strict):
    """One side of the switch: the class that runs exactly, and the Compose profiles to choose from, or the services it is.

    The class is empty where the file does not say it, until it is known what the profiles run. `models` are what it needs from
    the hosts among its services, beside what its profiles need.
    """

    class_: Annotated[Name, Field(alias="class")] = ""
    profiles: tuple[Name, ...] = Field(default=(), strict=False)
    services: tuple[Name, ...] = Field(default=(), strict=False)
    models: tuple[Name, ...] = Field(default=(), strict=False)

    @property
    def choices(self) -> tuple[str | None, ...]:
        """The profiles to choose from; None stands for the one choice of a mode of services."""
        return self.profiles or (None,)

    @model_validator(mode="after")
    def _something(self) -> "Mode":
        if bool(self.profiles) == bool(self.services):
            raise ValueError("give either the profiles that it is, or the services")
        return self


class GuardPolicy(Strict):
    """What the guard does when others start what a rule keeps apart. It stops what came later, what has the lower
    priority, or nothing (`warn`); members of the classes and workloads that it `spares`, which are the long runs where it
    does not say, go only against each other.
    When memory runs out something goes all the same. What was stopped `patience` times within ten minutes, and was started
    again, is left.
    """

    on_violation: Literal["newcomer", "lower-priority", "warn"] = "newcomer"
    spares: tuple[Name, ...] | None = Field(default=None, strict=False)
    patience: int = Field(default=5, ge=1)


class NamedSet(Strict):
    """A set of workloads that `matrix` shows, in the words of the one who wants to run it."""

    name: str
    wish: str
    workloads: tuple[Name, ...] = Field(strict=False, min_length=1)


class _Rule(Strict):
    name: Name
    because: str
    advice: str | None = None


class Exclusive(_Rule):
    """No two members are ever active together. A member is a class or a workload."""

    exclusive: tuple[Name, ...] = Field(strict=False, min_length=2)


class AtMost(_Rule):
    """At most so many of these are active together. A member is a class, whose every workload counts, or a workload."""

    at_most: Annotated[int, Field(ge=1)]
    of: tuple[Name, ...] = Field(strict=False, min_length=1)


class Careful(_Rule):
    """Members may run together, with care: compute is `careful`."""

    careful: tuple[Name, ...] = Field(strict=False, min_length=2)


class Alternate(_Rule):
    """Members may be loaded together and must be used in turn: the decision is `one-at-a-time`."""

    alternate: tuple[Name, ...] = Field(strict=False, min_length=1)


RULE_KINDS = ("exclusive", "at_most", "careful", "alternate")


def _rule_kind(data: Any) -> str | None:
    keys = data if isinstance(data, dict) else vars(data) if isinstance(data, _Rule) else ()
    kinds = [kind for kind in RULE_KINDS if kind in keys]
    return f"<{kinds[0]}>" if len(kinds) == 1 else None


Rule = Annotated[
    Annotated[Exclusive, Tag("<exclusive>")]
    | Annotated[AtMost, Tag("<at_most>")]
    | Annotated[Careful, Tag("<careful>")]
    | Annotated[Alternate, Tag("<alternate>")],
    Discriminator(_rule_kind),
]

WITHOUT_GPU = Footprint.model_construct(planned=GB, low=GB, high=GB)
"""What a service without a GPU counts where nothing else is said of it."""


class ProjectFiles(Strict):
    """A Compose project by its files, and by the name and the files of variables that Compose is given with them."""

    files: tuple[Text, ...] = Field(strict=False, min_length=1)
    name: Text | None = None
    env_files: tuple[Text, ...] = Field(default=(), strict=False)


class Rules(Strict):
    """Everything that rules.yaml says, in its order.

    `scope` is where the rules hold: on the whole machine, or for a lab of its own within its project alone. `projects` are the
    Compose projects that the lab is made of, where it is not the one beside the file: folders, or files, relative to it.
    """

    scope: Literal["machine", "project"] = "machine"
    projects: tuple[Text | ProjectFiles, ...] = Field(default=(), strict=False)
    hardware: Hardware
    limits: Limits
    overhead: Overhead
    classes: dict[Name, WorkloadClass]
    workloads: dict[Name, Workload]
    profiles: dict[Name, ProfileNeeds] = Field(default={})
    hosts: dict[Name, Host] = Field(default={})
    rules: tuple[Rule, ...] = Field(default=(), strict=False)
    modes: dict[Name, Mode] = Field(default={})
    sets: tuple[NamedSet, ...] = Field(default=(), strict=False)
    default_footprint: Footprint | None = None
    guard: GuardPolicy = GuardPolicy()
    without_gpu: Annotated[frozenset[str], SkipJsonSchema()] = Field(default=frozenset(), exclude=True)
    """No key of the file: the services of the Compose project that no workload describes and that ask for no GPU."""
    replicas: Annotated[dict[str, int], SkipJsonSchema()] = Field(default={}, exclude=True)
    """No key of the file: how many containers Compose starts of each service of which it starts several."""
    namesakes: Annotated[dict[str, str], SkipJsonSchema()] = Field(default={}, exclude=True)
    """No key of the file: the services that several projects have under one name, each with that name."""

    @model_validator(mode="before")
    @classmethod
    def _name_workloads(cls, data: Any) -> Any:
        """Give each workload the name that is its key."""
        if isinstance(data, dict) and isinstance(data.get("workloads"), dict):
            named = {
                key: {"name": key, **value} if isinstance(value, dict) else value for key, value in data["workloads"].items()
            }
            return {**data, "workloads": named}
        return data

    def find(self, name: str) -> Workload | None:
        """Return the workload of that name, alias, or `name:variant`; None if there is none.

        An exact name comes first: in `llama3.1:8b` the colon belongs to the name.
        """
        by_alias = {alias: workload for workload in self.workloads.values() for alias in workload.aliases}
        if exact := self.workloads.get(name) or by_alias.get(name):
            return exact
        base, _, variant = name.rpartition(":")
        workload = self.workloads.get(base) or by_alias.get(base)
        return workload.in_variant(variant) if workload and variant in workload.variants else None

    def of_service(self, service: str) -> Workload | None:
        """Return the workload that a Compose service is, or may be, where several projects have one of the name that it has."""
        exact = next((one for one in self.workloads.values() if one.service == service), None)
        plain = self.namesakes.get(service)
        return exact or (self.of_service(plain) if plain else None)

    def runs_to_end(self, workload: Workload | None) -> bool:
        """Whether a workload is a long run: it says so itself, or its class does. What has no class is none."""
        if workload is None or workload.runs_to_end is not None:
            return bool(workload and workload.runs_to_end)
        kind = self.classes.get(workload.class_)
        return kind is not None and kind.runs_to_end

    @property
    def spared(self) -> frozenset[str]:
        """The classes and workloads that the guard spares."""
        if self.guard.spares is not None:
            return frozenset(self.guard.spares)
        return frozenset(name for name, one in self.workloads.items() if self.runs_to_end(one))

    def footprint_of_undescribed(self, service: str) -> Footprint | None:
        """Return what a container of a service counts that no workload describes: as the file says, or little without a GPU."""
        return self.default_footprint or (WITHOUT_GPU if service in self.without_gpu else None)

    def host_of_service(self, service: str) -> str | None:
        """Return the name of the host that a Compose service is, or may be, as with `of_service`."""
        exact = next((name for name, host in self.hosts.items() if host.service == service), None)
        plain = self.namesakes.get(service)
        return exact or (self.host_of_service(plain) if plain else None)

    @property
    def units(self) -> dict[str, str]:
        """The units of systemd that are model hosts, each with its host's name."""
        return {host.unit: name for name, host in self.hosts.items() if host.unit}

    def daemon(self, name: str) -> str | None:
        """Return the name if it is that of a host outside Docker."""
        return name if name in self.hosts and self.hosts[name].service is None else None

    def models_of_host(self, host: str) -> tuple[Workload, ...]:
        """Return the workloads that a host may serve."""
        return tuple(workload for workload in self.workloads.values() if workload.host == host)

    def model_of(self, host: str, model: str) -> Workload | None:
        """Return the workload that a host's model is; a name without a tag means `:latest`, as in Ollama."""
        wanted = tagged(model)
        return next((one for one in self.models_of_host(host) if tagged(one.model or "") == wanted), None)

    def service_of(self, workload: Workload) -> str | None:
        """Return the Compose service that runs a workload: its own, or its host's; None where it is nothing of the lab's."""
        return workload.service or (self.hosts[workload.host].service if workload.host else None)

    def position(self, name: str) -> int:
        """Return the place of a workload in rules.yaml, for orders that must not vary."""
        return list(self.workloads).index(name) if name in self.workloads else len(self.workloads)
