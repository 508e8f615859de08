"""The rules of a lab as frozen models: what workloads need, what may run together, which modes there are.

`rules.yaml` is the only place for facts and rules; `read_rules` in `rules_reading` makes these models from it.
All sizes are bytes.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from composer.lab.size import Size, SizeOrAuto, parse_size

Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.:-]*$", max_length=100)]
Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    """Frozen, and refuses keys it does not know: a typing mistake in a rule must not switch the rule off."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Range(_Strict):
    """From `low` to `high` bytes."""

    low: Size
    high: Size

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Footprint(_Strict):
    """The memory that a workload holds: `planned` counts in the budget, `low` and `high` are what was seen."""

    planned: Size
    low: Size
    high: Size

    @model_validator(mode="before")
    @classmethod
    def _spread(cls, data: Any) -> Any:
        """Accept `8GB` for a footprint that is always the same, and fill in what is not given."""
        sizes = data if isinstance(data, dict) else {"planned": data}
        if "planned" not in sizes:
            return sizes
        parse_size(sizes["planned"])  # or the same mistake would be told three times
        return {"low": sizes["planned"], "high": sizes["planned"], **sizes}

    @model_validator(mode="after")
    def _ordered(self) -> "Footprint":
        if not 0 < self.low <= self.planned <= self.high:
            raise ValueError("a footprint needs 0 < low <= planned <= high")
        return self


class Variant(_Strict):
    """A size in which a workload can run, and the environment that its service gets for it."""

    footprint: Footprint
    environment: dict[Name, str] = {}


class Outside(_Strict):
    """How to know a container of this workload that was started outside the lab's project; one of the three."""

    label: Text | None = None
    name: Text | None = None
    image: Text | None = None

    @model_validator(mode="after")
    def _one(self) -> "Outside":
        if sum(value is not None for value in (self.label, self.name, self.image)) != 1:
            raise ValueError("give exactly one of label, name and image")
        return self


class Workload(_Strict):
    """What has a footprint: a Compose service, or a model that a host serves."""

    name: Name
    class_: Annotated[Name, Field(alias="class")]
    footprint: Footprint
    service: Name | None = None
    model: Text | None = None
    host: Name | None = None
    variants: dict[Name, Variant] = {}
    default_variant: Name | None = None
    priority: int = 0
    aliases: tuple[Name, ...] = Field(default=(), strict=False)
    outside: tuple[Outside, ...] = Field(default=(), strict=False)
    variant: Name | None = Field(default=None, exclude=True)

    @property
    def label(self) -> str:
        """The name as a user writes it, with the variant if it is not the default one."""
        return self.name if self.variant in (None, self.default_variant) else f"{self.name}:{self.variant}"

    def in_variant(self, variant: str) -> "Workload":
        """Return this workload with the footprint of one of its variants. Raises KeyError for an unknown one."""
        return self.model_copy(update={"footprint": self.variants[variant].footprint, "variant": variant})


class Limits(_Strict):
    """Where the verdict on a total changes, in bytes; `headroom` must stay free, under `floor` a start is aborted."""

    fits_easily: Size
    fits: Size
    tight: Size
    headroom: Size
    floor: Size

    @model_validator(mode="after")
    def _ordered(self) -> "Limits":
        if not self.fits_easily <= self.fits <= self.tight:
            raise ValueError("the limits must rise: fits_easily <= fits <= tight")
        if not self.floor < self.headroom:
            raise ValueError("the floor must lie below the headroom")
        return self


class Burst(_Strict):
    """What may come on top for moments; shown beside the budget, never counted in it."""

    cuda_context: Range
    kv_cache: Range


class Overhead(_Strict):
    """What the system takes: once, and for each class in a set."""

    system: Size
    per_class: Size
    burst: Burst


class Hardware(_Strict):
    """The machine. `capacity` is its memory in bytes, or `auto` for what the kernel calls MemTotal."""

    name: str
    capacity: SizeOrAuto
    facts: dict[str, str] = {}


class WorkloadClass(_Strict):
    """A kind of workload; `kv_cache` says that each of its workloads may grow one."""

    description: str
    kv_cache: bool = False


class ProfileNeeds(_Strict):
    """The models that a Compose profile needs from their host."""

    models: tuple[Name, ...] = Field(strict=False)


class Host(_Strict):
    """A service that serves models: it has no footprint of its own, its models have."""

    service: Name


class Mode(_Strict):
    """One side of the switch: the class that runs exactly, and the Compose profiles to choose from."""

    class_: Annotated[Name, Field(alias="class")]
    profiles: tuple[Name, ...] = Field(strict=False, min_length=1)


class NamedSet(_Strict):
    """A set of workloads that `matrix` shows, in the words of the one who wants to run it."""

    name: str
    wish: str
    workloads: tuple[Name, ...] = Field(strict=False, min_length=1)


class _Rule(_Strict):
    name: Name
    because: str
    advice: str | None = None


class Exclusive(_Rule):
    """No two members are ever active together. A member is a class or a workload."""

    exclusive: tuple[Name, ...] = Field(strict=False, min_length=2)


class AtMost(_Rule):
    """At most so many of these workloads are active together."""

    at_most: Annotated[int, Field(ge=1)]
    of: tuple[Name, ...] = Field(strict=False, min_length=2)


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


class Rules(_Strict):
    """Everything that rules.yaml says, in its order."""

    hardware: Hardware
    limits: Limits
    overhead: Overhead
    classes: dict[Name, WorkloadClass]
    workloads: dict[Name, Workload]
    profiles: dict[Name, ProfileNeeds] = {}
    hosts: dict[Name, Host] = {}
    rules: tuple[Rule, ...] = Field(default=(), strict=False)
    modes: dict[Name, Mode] = {}
    sets: tuple[NamedSet, ...] = Field(default=(), strict=False)
    default_footprint: Footprint | None = None

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
        """Return the workload that a Compose service is."""
        return next((workload for workload in self.workloads.values() if workload.service == service), None)

    def host_of_service(self, service: str) -> str | None:
        """Return the name of the host that a Compose service is."""
        return next((name for name, host in self.hosts.items() if host.service == service), None)

    def models_of_host(self, host: str) -> tuple[Workload, ...]:
        """Return the workloads that a host may serve."""
        return tuple(workload for workload in self.workloads.values() if workload.host == host)

    def service_of(self, workload: Workload) -> str:
        """Return the Compose service that runs a workload: its own, or that of its host."""
        return workload.service or self.hosts[workload.host or ""].service

    def position(self, name: str) -> int:
        """Return the place of a workload in rules.yaml, for orders that must not vary."""
        return list(self.workloads).index(name) if name in self.workloads else len(self.workloads)
