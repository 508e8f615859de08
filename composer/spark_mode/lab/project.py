"""The Compose project as Compose itself resolves it: only the fields that decisions need.

Read from `docker compose --profile '*' config --format json`, never from YAML by hand: interpolation, merging,
`extends`, `include` and defaults are Compose's business. The resolved configuration holds secrets; everything that is
not named here is dropped at once.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

from spark_mode.frozen import Frozen

GATE = "spark-mode-gate-"
"""How the services begin that the gate adds: providers that take nothing."""
OLLAMA_SETTINGS = ("OLLAMA_CONTEXT_LENGTH", "OLLAMA_MAX_LOADED_MODELS")
SCOPE = "org.spark-mode.scope"
"""The label with the scope `project` of a lab of its own: its containers count for no other lab."""
_CDI_GPU = re.compile(r"nvidia\.com/[a-z]+=")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|ns|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def _seconds(text: object) -> object:
    """Read Compose's durations, such as `1m30s`."""
    if not isinstance(text, str):
        return text
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text))


Seconds = Annotated[float, BeforeValidator(_seconds)]


class _Part(Frozen):
    """Frozen, and drops every field it does not name."""

    model_config = ConfigDict(extra="ignore")


class Dependency(_Part):
    """What must be true of another service before this one starts."""

    condition: str = "service_started"
    required: bool = True


class Healthcheck(_Part):
    """Whether and how long Compose lets a service become healthy; seconds."""

    disable: bool = False
    start_period: Seconds = 0.0


EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared, and bound by nobody
"""The addresses that stand for all of a machine's."""


class Port(_Part):
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


class Service(_Part):
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


class Project(_Part):
    """The whole project, all profiles included. `compose` is the version of Compose that resolved it.

    A lab of several Compose projects is one project, under the name of the first (`joined.py`): `parts` are those, and its
    services have the names by which the lab knows them.

    `unusable` says of a profile why Compose cannot resolve it; of the empty one, which is what has none, why it resolves nothing.
    `apart` says that it does not resolve all profiles together. `stand_ins` are values for variables that Compose would have, so
    that it resolves what does not need them.
    """

    name: str
    services: dict[str, Service] = Field(default_factory=dict)
    networks: dict[str, str] = Field(default_factory=dict)
    volumes: dict[str, str] = Field(default_factory=dict)
    compose: str = ""
    unusable: dict[str, str] = Field(default_factory=dict)
    apart: bool = False
    stand_ins: dict[str, str] = Field(default_factory=dict)
    parts: "tuple[Project, ...]" = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names that Compose has for it: one, or those of its parts."""
        return tuple(part.name for part in self.parts) or (self.name,)

    def lab_name(self, project: str, service: str) -> str:
        """Return how the lab knows a service of one of its Compose projects: as it is, `project/service` where two have it."""
        is_shared = any(service in part.services for part in self.parts if part.name != project)
        return f"{project}/{service}" if is_shared else service

    def known_as(self, word: str) -> str:
        """Return how the lab knows what is written as `project/service`; any other word is left as it is."""
        project, slash, service = word.rpartition("/")  # a project that cannot be read may have no name, "" then
        return self.lab_name(project, service) if slash and self.parts and project in self.names else word

    def profile_known_as(self, word: str) -> str:
        """Return how the lab knows a profile that is written as `project/profile`; any other word is left as it is."""
        project, _, profile = word.rpartition("/")
        is_its = any(profile in one.profiles for one in self.services.values() if one.project == project)
        return profile if self.parts and is_its and word not in self.profiles else word

    def part_of(self, service: str) -> "Project":
        """Return the Compose project that a service is of."""
        return next((part for part in self.parts if part.name == self.services[service].project), self)

    def plain_name(self, service: str) -> str:
        """Return the name that a service has in its Compose project."""
        return self.services[service].plain if self.parts else service

    @property
    def unread(self) -> str | None:
        """Which of several Compose projects cannot be read, and why: what services and profiles those have is not known."""
        found = (
            f"Compose cannot read the project {part.name}: {part.unusable['']}" for part in self.parts if "" in part.unusable
        )
        return "; ".join(found) or None

    def unread_with(self, name: str) -> str | None:
        """Return which project that Compose cannot read may have this service or profile, and why; of several, which they are."""
        unread = [part for part in self.parts if "" in part.unusable]
        written = name.rpartition("/")[0]
        those = [part for part in unread if part.name == written] if written in self.names else unread
        if len(those) > 1:
            return f"Compose cannot read the projects {', '.join(part.name for part in those)} (why: spark-mode check)"
        return next((f"Compose cannot read the project {part.name}: {part.unusable['']}" for part in those), None)

    def namesakes(self, service: str) -> tuple[str, ...]:
        """Return the services of several of its Compose projects that have this name, as the lab knows them."""
        return tuple(name for name, one in self.services.items() if one.plain == service and name != service)

    @property
    def profiles(self) -> tuple[str, ...]:
        """All profiles, in the order of their first service."""
        return tuple(dict.fromkeys(profile for service in self.services.values() for profile in service.profiles))

    @property
    def without_profile(self) -> tuple[str, ...]:
        """The services that belong to every target, as in Compose; what is not startable is never in a target."""
        there = self.services.items()
        return tuple(name for name, service in there if not service.profiles and service.startable and not service.unit)

    @property
    def awaited(self) -> frozenset[str]:
        """The services that others wait for until they have completed."""
        dependencies = (one for service in self.services.values() for one in service.depends_on.items())
        return frozenset(name for name, dependency in dependencies if dependency.condition == "service_completed_successfully")

    def fault_of(self, name: str) -> str | None:
        """Return why a service cannot be used: Compose resolves nothing at all, or none of its profiles.

        One that none of several Compose projects has may be of one that Compose cannot read.
        """
        if self.parts:
            known = self.services.get(name)
            if known is None:
                return self.unread_with(name)
            return self.part_of(name).fault_of(known.plain) if known.unit is None else None
        reasons = [self.unusable.get(profile) for profile in self.services[name].profiles] if name in self.services else []
        faults = tuple(filter(None, reasons))
        return self.unusable.get("") or ("; ".join(dict.fromkeys(faults)) if faults and len(faults) == len(reasons) else None)

    def of_profile(self, profile: str) -> tuple[str, ...]:
        """Return the services of a profile without what they depend on."""
        return tuple(name for name, service in self.services.items() if profile in service.profiles and service.startable)

    def closure(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return these services and all they need, dependencies before dependents.

        An optional dependency (`required: false`) does not come along; it only comes first where it is asked for.
        Ties keep the order of `names` and of the file, so that the same request always gives the same order.
        """
        wanted = tuple(names)
        ordered: dict[str, None] = {}

        def visit(name: str, path: tuple[str, ...]) -> None:
            service = self.services.get(name)
            if service is None or not service.startable or name in ordered or name in path:
                return
            for needed in (*service.needs, *(other for other in service.depends_on if other in wanted)):
                visit(needed, (*path, name))
            ordered[name] = None

        for name in wanted:
            visit(name, ())
        return tuple(ordered)

    def dependents(self, name: str, among: Iterable[str]) -> tuple[str, ...]:
        """Return those of `among` that need a service, directly or through others."""
        return tuple(other for other in among if other != name and name in self.closure([other]))


def read_project(resolved: dict[str, Any], hashes: dict[str, str], compose: str = "") -> Project:
    """Return the project as this version of Compose resolved it; `hashes` are its own of each service's configuration."""
    project, services = resolved["name"], resolved.get("services") or {}
    return Project(
        name=project,
        compose=compose,
        services={name: _service(project, name, service, hashes.get(name)) for name, service in services.items()},
        networks=_hashes(resolved.get("networks"), {}),
        volumes=_hashes(resolved.get("volumes"), {"driver": "local"}),
    )


def _service(project: str, name: str, raw: dict[str, Any], config_hash: str | None) -> Service:
    shared = [raw.get(key) or "" for key in ("network_mode", "ipc", "pid")]
    joins = [value.removeprefix("service:") for value in shared if value.startswith("service:")]
    shares = joins + [value.split(":")[0] for value in raw.get("volumes_from") or () if not value.startswith("container:")]
    return Service(
        name=name,
        image=raw.get("image") or (f"{project}-{name}" if "build" in raw else None),
        builds="build" in raw,
        profiles=tuple(raw.get("profiles") or ()),
        depends_on=raw.get("depends_on") or {},
        shares=tuple(dict.fromkeys(shares)),
        joins=tuple(dict.fromkeys(joins)),
        provider="provider" in raw,
        models=tuple(raw.get("models") or ()),
        on_host_network=raw.get("network_mode") == "host",
        reserves_gpu=_needs_gpu_runtime(raw) or any(one.startswith("/dev/nvidia") for one in _devices(raw)),
        needs_gpu_runtime=_needs_gpu_runtime(raw),
        container_name=raw.get("container_name"),
        ports=tuple(_ports(raw)),
        replicas=_replicas(raw),
        restart=_restart(raw),
        stop_grace_seconds=_seconds(raw.get("stop_grace_period") or "10s"),
        healthcheck=raw.get("healthcheck"),
        config_hash=None if shares else config_hash,
        scope=(raw.get("labels") or {}).get(SCOPE),
        pre_stop=bool(raw.get("pre_stop")),
        start_by_compose=any(raw.get(key) for key in ("post_start", "configs", "secrets")),
        ollama={key: value or "" for key, value in (raw.get("environment") or {}).items() if key in OLLAMA_SETTINGS},
    )


def _restart(raw: dict[str, Any]) -> str:
    """Return the restart policy: the one under `deploy` goes first, and has other words (docker/compose, create.go)."""
    deployed = (raw.get("deploy") or {}).get("restart_policy")
    if deployed is None:
        return raw.get("restart") or "no"
    condition = deployed.get("condition") or "no"
    return {"none": "no", "any": "always"}.get(condition, condition)


def _needs_gpu_runtime(raw: dict[str, Any]) -> bool:
    """Whether a service asks for a GPU by what the NVIDIA Container Toolkit gives an engine: its runtime, or names of CDI."""
    reserved = (((raw.get("deploy") or {}).get("resources") or {}).get("reservations") or {}).get("devices") or ()
    return (
        bool(raw.get("gpus"))
        or (raw.get("runtime") or "").startswith("nvidia")
        or any(_CDI_GPU.match(device) for device in _devices(raw))
        or any({"gpu", "nvidia", "cdi"} & {*(one.get("capabilities") or ()), one.get("driver")} for one in reserved)
        or any(_CDI_GPU.match(device) for one in reserved for device in one.get("device_ids") or ())
    )


def _devices(raw: dict[str, Any]) -> list[str]:
    return [device.get("source") or "" for device in raw.get("devices") or ()]


def _ports(raw: dict[str, Any]) -> Iterator[Port]:
    """Yield the ports that a service publishes, none on the machine's own network and on none.

    A range for a single port stays a range, and Docker takes one of it that is free: that is in nobody's way.
    """
    if raw.get("network_mode") in ("host", "none"):
        return
    for port in raw.get("ports") or ():
        published = str(port.get("published") or "0")
        if published.isdecimal() and int(published):
            yield Port(number=int(published), protocol=port.get("protocol") or "tcp", address=port.get("host_ip") or "")


def _replicas(raw: dict[str, Any]) -> int:
    """Return how many containers Compose starts; `scale` says the same as `deploy.replicas`, and goes first."""
    said = (raw.get("scale"), (raw.get("deploy") or {}).get("replicas"))
    return next((count for count in said if count is not None), 1)


def _hashes(parts: dict[str, Any] | None, defaults: dict[str, str]) -> dict[str, str]:
    """Return Compose's own configuration hash of each network or volume that it creates, by its full name.

    Compose writes this hash on what it creates and, when it differs, stops containers to replace a network and asks
    to lose a volume's data. It is the SHA-256 of the part's JSON (docker/compose, pkg/compose/hash.go); a test on the
    real engine holds the two together.
    """
    return {
        part["name"]: hashlib.sha256(_as_go_writes({"name": part["name"]} | defaults | part).encode()).hexdigest()
        for part in (parts or {}).values()
        if not part.get("external")
    }


def _as_go_writes(part: dict[str, Any]) -> str:
    text = json.dumps(part, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
