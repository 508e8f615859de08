"""The engine over its local socket: the bare Engine API, because a client library costs more to import than to use.

HTTP/1.0 is all it takes: one question a connection, and the answer ends where the connection does.

Reads take 1 to 5 ms. Every call has a deadline; every failure of the transport is EngineUnavailable.
"""

import json
import socket
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from composer.engine.doors import Identity, Other
from composer.errors import EngineUnavailable
from composer.planning.observed import Container, Health

READ_SECONDS = 10.0
STOP_MARGIN_SECONDS = 15.0
PROJECT = "com.docker.compose.project"
VARIANT = "spark-mode.variant"
_STATES = frozenset({"created", "running", "paused", "restarting", "removing", "exited", "dead"})
_HEALTH: dict[str, Health] = {"starting": "starting", "healthy": "healthy", "unhealthy": "unhealthy"}


class EngineApi:
    """The engine behind a Unix socket."""

    def __init__(self, socket_path: str) -> None:
        self._path = socket_path

    def identity(self) -> Identity:
        return self._identity

    @cached_property
    def _identity(self) -> Identity:
        """The engine does not become another one during a command, and this is the slowest question to it."""
        info = self._get("/info")
        devices = [device.get("ID", "") for device in info.get("DiscoveredDevices") or ()]
        return Identity(
            id=info["ID"],
            version=info["ServerVersion"],
            gpu_runtime="nvidia" in (info.get("Runtimes") or {}) or any(one.startswith("nvidia.com/gpu") for one in devices),
        )

    def containers(self, project: str) -> tuple[Container, ...]:
        return self._sorted(self._listed({"label": [f"{PROJECT}={project}"]}))

    def others(self, project: str) -> tuple[Other, ...]:
        listed = self._listed({"status": ["running", "paused", "restarting", "removing"]})
        found = [
            Other(container=_summary(one), image=one.get("Image", ""), labels=labels, project=labels.get(PROJECT))
            for one in listed
            if (labels := one.get("Labels") or {}).get(PROJECT) != project
        ]
        return tuple(sorted(found, key=lambda other: other.container.name))

    def container(self, id: str) -> Container | None:
        status, body = self._call("GET", f"/containers/{id}/json")
        return None if status == 404 else _container(_json(status, body))

    def images(self, names: Sequence[str]) -> dict[str, str]:
        wanted, found = set(names), {}
        for image in self._get("/images/json"):
            for tag in [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]:
                found[tag] = image["Id"]
        return {name: found[full] for name in wanted for full in _spellings(name) if full in found}

    def networks(self, project: str) -> dict[str, str]:
        return _hashes(self._get("/networks", {"label": [f"{PROJECT}={project}"]}))

    def volumes(self, project: str) -> dict[str, str]:
        return _hashes(self._get("/volumes", {"label": [f"{PROJECT}={project}"]}).get("Volumes") or ())

    def project_of_file(self, file: str) -> str | None:
        for one in self._listed({"label": [PROJECT]}):
            if file in one["Labels"].get(f"{PROJECT}.config_files", "").split(","):
                return str(one["Labels"][PROJECT])
        return None

    def stop(self, id: str, seconds: int) -> None:
        status, body = self._call("POST", f"/containers/{id}/stop?t={seconds}", seconds + STOP_MARGIN_SECONDS)
        if status not in (204, 304, 404, 500):  # 500: it could not be killed, and whoever looks will see that
            raise EngineUnavailable(f"Docker refused: {_message(body)}", "the state of the container is unknown; look: docker ps")

    def start(self, id: str) -> None:
        self._act(f"/containers/{id}/start", STOP_MARGIN_SECONDS)

    def unpause(self, id: str) -> None:
        self._act(f"/containers/{id}/unpause", STOP_MARGIN_SECONDS)

    def set_restart_policy(self, id: str, policy: str, retries: int) -> None:
        wanted = {"RestartPolicy": {"Name": policy, "MaximumRetryCount": retries}}
        status, body = self._call("POST", f"/containers/{id}/update", STOP_MARGIN_SECONDS, json.dumps(wanted))
        if status not in (200, 404):
            raise EngineUnavailable(f"Docker refused: {_message(body)}", "its restart policy is unknown; look: docker inspect")

    def held(self, id: str) -> int | None:
        status, body = self._call("GET", f"/containers/{id}/stats?stream=false&one-shot=true")
        if status != 200:
            return None
        seen = (_json(status, body).get("memory_stats") or {}).get("stats") or {}
        total = "total_" if "total_active_anon" in seen else ""  # cgroup v1 has sums of a container's own groups
        parts = [seen.get(f"{total}{name}") for name in ("active_anon", "inactive_anon", "unevictable")]
        return None if parts[0] is None else sum(part or 0 for part in parts)

    def last_lines(self, id: str, count: int) -> tuple[str, ...]:
        status, body = self._call("GET", f"/containers/{id}/logs?stdout=1&stderr=1&tail={count}")
        text = b"".join(_frames(body)) if status == 200 else b""
        return tuple(plain(line) for line in text.decode(errors="replace").splitlines()[-count:])

    def _listed(self, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("/containers/json?all=1", filters)
        return found

    def _sorted(self, listed: list[dict[str, Any]]) -> tuple[Container, ...]:
        seen = (self.container(one["Id"]) for one in listed)
        return tuple(sorted((one for one in seen if one), key=lambda container: container.name))

    def _get(self, path: str, filters: dict[str, list[str]] | None = None) -> Any:
        if filters:
            path += ("&" if "?" in path else "?") + urlencode({"filters": json.dumps(filters)}, quote_via=quote)
        return _json(*self._call("GET", path))

    def _act(self, path: str, seconds: float) -> None:
        """Do something to a container; one that is gone, or already so, is as good."""
        status, body = self._call("POST", path, seconds)
        if status not in (204, 304, 404):
            raise EngineUnavailable(f"Docker refused: {_message(body)}", "the state of the container is unknown; look: docker ps")

    def _call(self, method: str, path: str, seconds: float = READ_SECONDS, content: str = "") -> tuple[int, bytes]:
        kind = "Content-Type: application/json\r\n" if content else ""
        request = f"{method} {path} HTTP/1.0\r\nHost: docker\r\n{kind}Content-Length: {len(content)}\r\n\r\n{content}"
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(seconds)
                connection.connect(self._path)
                connection.sendall(request.encode())
                answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        except TimeoutError:
            raise EngineUnavailable(f"Docker did not answer within {seconds:g} s", "look at the engine: docker info") from None
        except PermissionError:
            raise EngineUnavailable(
                f"you may not use Docker's socket {self._path}", "sudo usermod -aG docker $USER, then log in again"
            ) from None
        except OSError as error:
            raise EngineUnavailable(
                f"Docker does not answer at {self._path}: {error.strerror or error}", "start it: sudo systemctl start docker"
            ) from None
        return _parts(answer)


def _parts(answer: bytes) -> tuple[int, bytes]:
    """Return status and body of an HTTP/1.0 answer, which ends where the connection does."""
    head, separator, body = answer.partition(b"\r\n\r\n")
    status = head.split(None, 2)[1:2]
    if not separator or not status or not status[0].isdigit():
        raise EngineUnavailable("Docker broke its answer off", "look at the engine: docker info")
    return int(status[0]), body


def plain(text: str) -> str:
    """Return text from outside without control characters, which could rewrite a terminal."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def _json(status: int, body: bytes) -> Any:
    if status != 200:
        raise EngineUnavailable(f"Docker answered {status}: {_message(body)}", "look at the engine: docker info")
    try:
        return json.loads(body)
    except ValueError:
        raise EngineUnavailable("Docker's answer is not JSON", "look at the engine: docker info") from None


def _message(body: bytes) -> str:
    try:
        return plain(str(json.loads(body)["message"]))
    except (ValueError, KeyError, TypeError):
        return plain(body[:200].decode(errors="replace"))


def _frames(body: bytes) -> Iterator[bytes]:
    """Yield the payloads of a multiplexed log; one of a terminal has no frames."""
    if body[:1] not in (b"\x00", b"\x01", b"\x02") or body[1:4] != b"\x00\x00\x00":
        yield body
        return
    at = 0
    while at + 8 <= len(body):
        length = int.from_bytes(body[at + 4 : at + 8])
        yield body[at + 8 : at + 8 + length]
        at += 8 + length


def _spellings(name: str) -> tuple[str, ...]:
    """Return how the engine may list an image: with its tag, and without Docker Hub's own prefixes."""
    full = name if "@" in name or ":" in name.rpartition("/")[2] else f"{name}:latest"
    return (full, full.removeprefix("docker.io/"), full.removeprefix("docker.io/library/"))


def _hashes(parts: Sequence[dict[str, Any]]) -> dict[str, str]:
    labelled = {part["Name"]: (part.get("Labels") or {}).get("com.docker.compose.config-hash") for part in parts}
    return {name: found for name, found in labelled.items() if found}


def _summary(one: dict[str, Any]) -> Container:
    """Return what a listing says of a container, which is enough for one that is not the lab's."""
    return Container(id=one["Id"], name=one["Names"][0].removeprefix("/"), state=one["State"])


def _container(raw: dict[str, Any]) -> Container:
    state, config, labels = raw["State"], raw["Config"], raw["Config"].get("Labels") or {}
    status = state.get("Status")
    running = status == "running"  # the health of a stopped container is what it once was
    policy = (raw.get("HostConfig") or {}).get("RestartPolicy") or {}
    grace = config.get("StopTimeout")
    return Container(
        id=raw["Id"],
        name=raw["Name"].removeprefix("/"),
        state=status if status in _STATES else "unknown",
        service=labels.get("com.docker.compose.service"),
        health=_HEALTH.get((state.get("Health") or {}).get("Status", ""), "none") if running else "none",
        exit_code=state.get("ExitCode", 0),
        restart_count=raw.get("RestartCount", 0),
        started_at=state.get("StartedAt", ""),
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


def _address(raw: dict[str, Any]) -> str | None:
    """Return where the host reaches a container: its first address, or the host's own where it shares its network."""
    networks = ((raw.get("NetworkSettings") or {}).get("Networks") or {}).items()
    if any(name == "host" for name, _ in networks):
        return "127.0.0.1"
    return next((one["IPAddress"] for _, one in networks if one.get("IPAddress")), None)
