"""What the engine's answers mean: containers, images, hashes and logs, read from its JSON."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from composer.engine.questions import release
from composer.planning.observed import Container, Health, Made

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
VARIANT = "spark-mode.variant"
_STATES = frozenset({"created", "running", "paused", "restarting", "removing", "exited", "dead"})
_HEALTH: dict[str, Health] = {"starting": "starting", "healthy": "healthy", "unhealthy": "unhealthy"}


def plain(text: str) -> str:
    """Return text from outside without control characters, which could rewrite a terminal."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


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


def made(parts: Sequence[dict[str, Any]]) -> dict[str, Made]:
    """Return what Compose wrote on each of these networks or volumes, by name."""
    labelled = {part["Name"]: part.get("Labels") or {} for part in parts}
    return {
        name: Made(config_hash=found, compose=release(labels.get("com.docker.compose.version", "")))
        for name, labels in labelled.items()
        if (found := labels.get("com.docker.compose.config-hash"))
    }


def summary(one: dict[str, Any]) -> Container:
    """Return what a listing says of a container, which is enough for one that is not the lab's.

    One that is being removed may have lost its name already (measured).
    """
    labels = one.get("Labels") or {}
    name = next(iter(one.get("Names") or ()), one["Id"][:12])
    return Container(
        id=one["Id"],
        name=name.removeprefix("/"),
        state=one["State"],
        service=labels.get(SERVICE),
        variant=labels.get(VARIANT),
    )


def read_container(raw: dict[str, Any]) -> Container:
    """Return a container from what the engine says when it is inspected."""
    state, config, labels = raw["State"], raw["Config"], raw["Config"].get("Labels") or {}
    status = state.get("Status")
    running = status == "running"  # the health of a stopped container is what it once was
    policy = (raw.get("HostConfig") or {}).get("RestartPolicy") or {}
    grace = config.get("StopTimeout")
    return Container(
        id=raw["Id"],
        name=raw["Name"].removeprefix("/"),
        state=status if status in _STATES else "unknown",
        service=labels.get(SERVICE),
        health=_HEALTH.get((state.get("Health") or {}).get("Status", ""), "none") if running else "none",
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
        restart_retries=policy.get("MaximumRetryCount") or 0,
        address=_address(raw) if running else None,
    )


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
    networks = ((raw.get("NetworkSettings") or {}).get("Networks") or {}).items()
    if any(name == "host" for name, _ in networks):
        return "127.0.0.1"
    return next((one["IPAddress"] for _, one in networks if one.get("IPAddress")), None)
