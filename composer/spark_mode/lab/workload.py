"""What has a footprint, as rules.yaml describes it: a service, a host's model, or what others start. Sizes are bytes."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue, SkipJsonSchema
from pydantic_core import CoreSchema

from spark_mode.frozen import Frozen
from spark_mode.lab.size import Size, parse_size

LONGEST_NAME = 100
NAME = r"^[a-zA-Z0-9][a-zA-Z0-9_.:/-]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=LONGEST_NAME)]
COMMAND = "command: true"
"""What a workload says that is nothing but a plain command."""
Text = Annotated[str, Field(min_length=1)]


class Strict(Frozen):
    """Frozen, and refuses keys it does not know: a typing mistake in a rule must not switch the rule off."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)


class Range(Strict):
    """From `low` to `high` bytes."""

    low: Size
    high: Size

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Footprint(Strict):
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

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """What may be written: one size, or what is planned and, if it is not always the same, what was seen."""
        spread = handler.resolve_ref_schema(handler(core))
        spread["required"] = ["planned"]
        return {"anyOf": [spread["properties"]["planned"], dict(spread)], "description": spread["description"]}

    @model_validator(mode="after")
    def _ordered(self) -> "Footprint":
        if not 0 < self.low <= self.planned <= self.high:
            raise ValueError("a footprint needs 0 < low <= planned <= high")
        return self


class Variant(Strict):
    """A size in which a workload can run, and the environment that its service gets for it."""

    footprint: Footprint
    environment: dict[Name, str] = Field(default={})


class ForeignPattern(Strict):
    """How to know a container of this workload that was started outside the lab's project; one of the three."""

    label: Text | None = None
    name: Text | None = None
    image: Text | None = None

    @model_validator(mode="after")
    def _one(self) -> "ForeignPattern":
        if sum(value is not None for value in (self.label, self.name, self.image)) != 1:
            raise ValueError("give exactly one of label, name and image")
        return self


class Workload(Strict):
    """What has a footprint: a Compose service, a model that a host serves, or neither.

    What is neither is a `command` that only `spark-mode run` runs, or known by its containers `outside` alone.
    """

    name: Annotated[Name, SkipJsonSchema()]
    class_: Annotated[Name, Field(alias="class")]
    footprint: Footprint
    service: Name | None = None
    model: Text | None = None
    host: Name | None = None
    variants: dict[Name, Variant] = Field(default={})
    default_variant: Name | None = None
    runs_to_end: bool | None = None
    priority: Annotated[int, Field(ge=0)] = 0
    load_seconds: Annotated[int, Field(ge=0)] = 0
    aliases: tuple[Name, ...] = Field(default=(), strict=False)
    command: bool = False
    outside: tuple[ForeignPattern, ...] = Field(default=(), strict=False)
    variant: Annotated[Name | None, SkipJsonSchema()] = Field(default=None, exclude=True)

    @property
    def only_outside(self) -> bool:
        """Whether it is never the lab's to start or stop: neither a service nor a model."""
        return self.service is None and self.model is None

    @property
    def label(self) -> str:
        """The name as a user writes it, with the variant if it is not the default one."""
        return self.name if self.variant in (None, self.default_variant) else f"{self.name}:{self.variant}"

    def in_variant(self, variant: str) -> "Workload":
        """Return this workload with the footprint of one of its variants. Raises KeyError for an unknown one."""
        return self.model_copy(update={"footprint": self.variants[variant].footprint, "variant": variant})


def tagged(model: str) -> str:
    """Return a model's name with its tag: `devstral` is `devstral:latest`."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"
