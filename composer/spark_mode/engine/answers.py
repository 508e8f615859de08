"""What the engine's answers mean: containers, images, hashes and logs, read from its JSON.

What has not the form that is needed raises one of `OTHER_FORM`. A list of what belongs to anybody loses only the entries that
tell nothing: somebody else's strange container or image must not lock the lab's owner out. A container of the lab is read
whole or not at all.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeGuard

from spark_mode.engine.doors import Identity
from spark_mode.engine.versions import release
from spark_mode.planning.container import Container, Health
from spark_mode.planning.foreign_workload import ForeignContainer
from spark_mode.planning.observed import Made

OTHER_FORM = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading an answer raises that has another form than the engine's; pydantic's errors are ValueErrors."""

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
VARIANT = "spark-mode.variant"
_STATES = frozenset({"created", "running", "paused", "restarting", "removing", "exited", "dead"})
_HEALTH: dict[str, Health] = {"starting": "starting", "healthy": "healthy", "unhealthy": "unhealthy"}
_OWN_NETWORKS = frozenset({"bridge", "host", "none", "default"})
RETRIES = 3
"""How many checks in a row must fail where the file does not say it: the engine's default."""


def frames(body: bytes) -> Iterator[bytes]:
    """Yield the payloads of a multiplexed log; one of a terminal has no frames."""
    if body[:1] not in (b"\x00", b"\x01", b"\x02") or body[1:4] != b"\x00\x00\x00":
        yield body
        return
    at = 0
    while at + 8 <= len(body):
        length = int.from_bytes(body[at + 4 : at + 8])
        yield body[at + 8 : at + 8 + length]
        at += 8 + length


def spellings(name: str) -> tuple[str, ...]:
    """Return how the engine may list an image: with its tag, and without Docker Hub's own prefixes."""
    full = name if "@" in name or ":" in name.rpartition("/")[2] else f"{name}:latest"
    return (full, full.removeprefix("docker.io/"), full.removeprefix("docker.io/library/"))


def identity(info: Any) -> Identity:
    """Return which engine says this of itself."""
    devices = [device.get("ID") or "" for device in _entries(info.get("DiscoveredDevices") or [])]
    return Identity(
        id=info["ID"],
        version=info["ServerVersion"],
        gpu_runtime="nvidia" in _part(info, "Runtimes") or any(one.startswith("nvidia.com/gpu") for one in devices),
    )


def ids(listed: Any) -> list[str]:
    """Return the ids of the containers that were asked for by the lab's label."""
    found = [one["Id"] for one in _entries(listed)]
    if not all(map(_is_id, found)):
        raise ValueError("not an id")
    return found


def others(listed: Any, project: str) -> tuple[ForeignContainer, ...]:
    """Return the containers of a list that have not this project's label, in order of name."""
    found = (other for one in _entries(listed) if (other := _other(one)) and other.project != project)
    return tuple(sorted(found, key=lambda other: other.container.name))


def project_of(listed: Any, file: str) -> str | None:
    """Return the project of the first container of a list that was made from a Compose file."""
    for labels in (_labels(one) for one in _entries(listed) if isinstance(one, dict)):
        if file in labels.get(f"{PROJECT}.config_files", "").split(","):
            return labels.get(PROJECT)
    return None


def images(listed: Any) -> dict[str, str]:
    """Return the id of each image by each of its names."""
    found: dict[str, str] = {}
    for image in (one for one in _entries(listed) if isinstance(one, dict) and isinstance(one.get("Id"), str)):
        for names in (image.get("RepoTags"), image.get("RepoDigests")):
            found |= {name: image["Id"] for name in names if isinstance(name, str)} if isinstance(names, list) else {}
    return found


def made(listed: Any) -> dict[str, Made]:
    """Return what Compose wrote on each of these networks or volumes, by name."""
    labelled = {one["Name"]: _part(one, "Labels") for one in _entries(listed)}
    if not all(isinstance(name, str) for name in labelled):
        raise TypeError("not a name")
    return {
        name: Made(config_hash=found, compose=release(labels.get("com.docker.compose.version", "")))
        for name, labels in labelled.items()
        if (found := labels.get("com.docker.compose.config-hash"))
    }


def volumes(listed: Any) -> dict[str, Made]:
    """Return the same of an answer about volumes, which has null where there are none."""
    return made(listed["Volumes"] or [])


def memory_of(stats: Any) -> int | None:
    """Return the bytes that a container holds of its own, None where they are not told."""
    seen = _part(_part(stats, "memory_stats"), "stats")
    total = "total_" if "total_active_anon" in seen else ""  # cgroup v1 has sums of a container's own groups
    parts = [seen.get(f"{total}{name}") for name in ("active_anon", "inactive_anon", "unevictable")]
    return None if parts[0] is None else sum(int(part or 0) for part in parts)


def _other(one: Any) -> ForeignContainer | None:
    """Return what a listing says of a container, which is enough for one that is not the lab's; None for what is none.

    What it does not say counts as the worst: a state that is no state is unknown, which counts as active. One that is being
    removed may have lost its name already (measured).
    """
    if not isinstance(one, dict) or not _is_id(id_ := one.get("Id")):
        return None
    labels, names, state = _labels(one), one.get("Names"), _said(one.get("State"))
    name = next(filter(None, map(_said, names)), None) if isinstance(names, list) else None
    container = Container(
        id=id_,
        name=(name or id_[:12]).removeprefix("/"),
        state=state if state in _STATES else "unknown",
        service=labels.get(SERVICE),
        variant=labels.get(VARIANT),
    )
    return ForeignContainer(container=container, image=_said(one.get("Image")) or "", labels=labels, project=labels.get(PROJECT))


def read_container(raw: Any) -> Container:
    """Return a container of a project from what the engine says when it is inspected."""
    state, config = raw["State"], raw["Config"]
    labels = _part(config, "Labels")
    if PROJECT not in labels:  # by which it was found: whose it is would be lost
        raise KeyError(PROJECT)
    status = state.get("Status")
    running = status == "running"  # the health of a stopped container is what it once was
    policy = _part(_part(raw, "HostConfig"), "RestartPolicy")
    grace = config.get("StopTimeout")
    return Container(
        id=raw["Id"],
        name=raw["Name"].removeprefix("/"),
        state=status if status in _STATES else "unknown",
        service=labels.get(SERVICE),
        health=_health(_part(state, "Health"), _part(config, "Healthcheck")) if running else "none",
        exit_code=state.get("ExitCode", 0),
        oom_killed=bool(state.get("OOMKilled")),
        restart_count=raw.get("RestartCount", 0),
        started_at=state.get("StartedAt", ""),
        started_seconds=seconds(state.get("StartedAt", "")),
        one_off=labels.get("com.docker.compose.oneoff") == "True",
        variant=labels.get(VARIANT),
        config_hash=labels.get("com.docker.compose.config-hash"),
        image_id=raw.get("Image"),
        depends_on=tuple(one.partition(":")[0] for one in labels.get("com.docker.compose.depends_on", "").split(",") if one),
        stop_seconds=10 if grace is None else grace,
        restart_policy=policy.get("Name") or "no",
        shares=_shares(_part(raw, "HostConfig")),
        restart_retries=policy.get("MaximumRetryCount") or 0,
        address=_address(raw) if running else None,
        checked=is_checked(raw),
        has_gpu=_has_gpu(_part(raw, "HostConfig"), config),
        networks=_networks(raw),
    )


def _has_gpu(host: dict[str, Any], config: dict[str, Any]) -> bool:
    """Whether a container was given a GPU: asked for, as a device file, or by NVIDIA's runtime, which looks at a variable.

    An engine may have that runtime for all containers; without the variable it adds nothing.
    """
    variables = dict(one.partition("=")[::2] for one in _entries(config.get("Env") or []))
    shown = variables.get("NVIDIA_VISIBLE_DEVICES", "") not in ("", "void")
    files = (one["PathOnHost"] for one in _entries(host.get("Devices") or []))
    by_runtime = shown and (host.get("Runtime") or "").startswith("nvidia")
    return bool(host.get("DeviceRequests")) or by_runtime or any(one.startswith("/dev/nvidia") for one in files)


def _shares(config: dict[str, Any]) -> tuple[str, ...]:
    """Return the containers whose namespaces or volumes a container uses, by id, or by the name that somebody gave."""
    joined = (config.get(key) or "" for key in ("NetworkMode", "IpcMode", "PidMode"))
    mounted = (one.partition(":")[0] for one in _entries(config.get("VolumesFrom") or []))
    joins = (one.removeprefix("container:") for one in joined if one.startswith("container:"))
    return tuple(dict.fromkeys([*joins, *mounted]))


def _health(health: dict[str, Any], check: dict[str, Any]) -> Health:
    """Return what the health check says.

    The engine calls `unhealthy` what it pauses, and what goes on after that until it is checked again (measured): with fewer
    failures in a row than it takes, it is not known yet.
    """
    said = _HEALTH.get(health.get("Status", ""), "none")
    retries = check.get("Retries") or RETRIES
    return "starting" if said == "unhealthy" and health.get("FailingStreak", retries) < retries else said


def is_checked(raw: Any) -> bool:
    """Whether an image or a container has a health check; `NONE` takes away that of the image that it is made from."""
    test = _entries(_part(_part(raw, "Config"), "Healthcheck").get("Test") or [])
    return bool(test) and test[0] != "NONE"


def seconds(moment: str) -> float:
    """Return an ISO 8601 time of the engine, which is in UTC, in seconds since the epoch; 0 for one that never was."""
    whole, _, fraction = moment.removesuffix("Z").partition(".")
    try:
        found = datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
    except ValueError:
        return 0.0
    return max(0.0, found)


def _address(raw: dict[str, Any]) -> str | None:
    """Return where the host reaches a container: its first address, or the host's own where it shares its network."""
    networks = _part(_part(raw, "NetworkSettings"), "Networks")
    if "host" in networks:
        return "127.0.0.1"
    return next((address for name in networks if (address := _part(networks, name).get("IPAddress"))), None)


def _networks(raw: dict[str, Any]) -> tuple[str, ...]:
    """Return the networks by which the engine starts a container: by id, and by name before the first start (measured).

    Its own ones, such as `bridge`, it always has, under an id of each of its own starts.
    """
    found = _part(_part(raw, "NetworkSettings"), "Networks")
    return tuple(_said(_part(found, name).get("NetworkID")) or name for name in found if name not in _OWN_NETWORKS)


def network_names(listed: Any) -> frozenset[str]:
    """Return the ids and the names of the networks of a list."""
    known = (one for one in _entries(listed) if isinstance(one, dict))
    return frozenset(said for one in known for key in ("Id", "Name") if (said := _said(one.get(key))))


def _entries(listed: Any) -> list[Any]:
    """Return a list; anything else would read as an empty one."""
    if not isinstance(listed, list):
        raise TypeError("not a list")
    return listed


def _part(whole: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an object in another, an empty one where there is none."""
    found = whole.get(name)
    if not isinstance(found, dict | None):
        raise TypeError("not an object")
    return found or {}


def _is_id(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and value.isascii() and value.isalnum()


def _labels(one: dict[str, Any]) -> dict[str, str]:
    """Return the labels of somebody's container as far as they are labels."""
    found = one.get("Labels")
    if not isinstance(found, dict):
        return {}
    return {str(_said(key)): text for key, value in found.items() if (text := _said(value)) is not None}


def _said(value: Any) -> str | None:
    """Return a text, None for what is none; half a character, which JSON can spell, becomes a question mark."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else None
