"""A service of a Compose project: only the fields that decisions need."""

import re
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from spark_mode.frozen import Frozen

SCOPE = "org.spark-mode.scope"
"""The label with the scope `project` of a lab of its own: its containers count for no other lab."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|ns|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def in_seconds(text: object) -> object:
    """Read Compose's durations, such as `1m30s`."""
    if not isinstance(text, str):
        return text
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text))


Seconds = Annotated[float, BeforeValidator(in_seconds)]


class Part(Frozen):
    """Frozen, and drops every field it does not name."""

    model_config = ConfigDict(extra="ignore")


class Dependency(Part):
    """What must be true of another service before this one starts."""

    condition: str = "service_started"
    required: bool = True


class Healthcheck(Part):
    """Whether and how long Compose lets a service become healthy; seconds."""

    disable: bool = False
    start_period: Seconds = 0.0


EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared, and bound by nobody
"""The addresses that stand for all of a machine's."""


class Port(Part):
    """A port of the machine that a service publishes; without an `address` on all of them, IPv4 and IPv6."""

    number: int
    protocol: str = "tcp"
    address: str = ""

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        protocol = "" if self.protocol == "tcp" else f"/{self.protocol}"
        return f"{address}:{self.number}{protocol}" if address else f"port {self.number}{protocol}"

    @property
    def reached_at(self) -> str:
        """Where somebody on the machine reaches it: every address is this machine's own, too."""
        return f"localhost:{self.number}" if self.address in EVERYWHERE else str(self)


class Service(Part):
    """A service of the project. `ollama` are its settings for Ollama; the rest of an environment may be secret.

    `image` is the name that Compose gives to what it `builds`, where the file gives none.
    `models` are those that Compose has its own runner serve to it.
    `shares` are the services whose namespaces or volumes it uses, `joins` those of them whose namespaces it is in.
    `config_hash` is what Compose writes on its container, None where nobody can tell it before.
    `scope` is what its label of that name says: whether its containers count for other labs.
    It `reserves_gpu` however it asks for one; it `needs_gpu_runtime` unless that is by the bare device files. `ports` are those
    that nobody else can have beside it; `replicas` is how many containers Compose starts of it.
    `start_by_compose`: it has what Compose adds at each start (`post_start`, configs and secrets that it copies in).
    `unit` is what systemd runs in its place: Compose knows nothing of it.
    `project` is the Compose project that it is of and `plain` its name there, where the lab has several; else both are empty.
    """

    name: str
    image: str | None = None
    builds: bool = False
    profiles: tuple[str, ...] = ()
    depends_on: dict[str, Dependency] = Field(default_factory=dict)
    shares: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()
    provider: bool = False
    models: tuple[str, ...] = ()
    on_host_network: bool = False
    reserves_gpu: bool = False
    needs_gpu_runtime: bool = False
    container_name: str | None = None
    ports: tuple[Port, ...] = ()
    replicas: int = 1
    restart: str = "no"
    stop_grace_seconds: float = 10.0
    healthcheck: Healthcheck | None = None
    config_hash: str | None = None
    ollama: dict[str, str] = Field(default_factory=dict)
    scope: str | None = None
    pre_stop: bool = False
    start_by_compose: bool = False
    unit: str | None = None
    project: str = ""
    plain: str = ""

    @property
    def address(self) -> str | None:
        """Where its first port is reached, None where it publishes none."""
        return next((port.reached_at for port in self.ports if port.protocol == "tcp"), None)

    @property
    def of_compose(self) -> bool:
        """Whether Compose makes a container of it."""
        return not self.provider and self.unit is None

    @property
    def startable(self) -> bool:
        """Whether there is anything to start: a provider has no container, and 0 replicas are none."""
        return not self.provider and self.replicas > 0

    @property
    def needs(self) -> tuple[str, ...]:
        """The services that must run for this one to run: dependencies and shared namespaces and volumes."""
        required = [name for name, dependency in self.depends_on.items() if dependency.required]
        return tuple(dict.fromkeys([*required, *self.shares]))

    @property
    def may_complete(self) -> bool:
        """Whether exit 0 may be its end: no health check expects it to run, and after that no policy starts it again."""
        checked = self.healthcheck is not None and not self.healthcheck.disable
        return not checked and self.restart.partition(":")[0] in ("no", "on-failure")
