"""The Compose project as Compose itself resolves it: only what decisions need.

Read from `docker compose --profile '*' config --format json`, never from YAML by hand: interpolation, merging,
`extends`, `include` and defaults are Compose's business. The resolved configuration holds secrets; everything that is
not named here is dropped at once.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from spark_mode.lab.project import Project
from spark_mode.lab.service import SCOPE, Port, Service, in_seconds

OLLAMA_SETTINGS = ("OLLAMA_CONTEXT_LENGTH", "OLLAMA_MAX_LOADED_MODELS")
_CDI_GPU = re.compile(r"nvidia\.com/[a-z]+=")


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
        stop_grace_seconds=in_seconds(raw.get("stop_grace_period") or "10s"),
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
