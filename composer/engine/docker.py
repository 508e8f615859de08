"""The engine over its local socket: the bare Engine API, because a client library costs more to import than to use.

HTTP/1.0 is all it takes: one question a connection, and the answer ends where the connection does.

Reads take 1 to 5 ms. Every call has one deadline, from its first byte to its last, and a bound on what it may bring; every
failure of the transport is EngineUnavailable.
"""

import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from threading import Thread
from typing import Any
from urllib.parse import quote, urlencode

from composer.engine.answers import PROJECT, frames, made, plain, read_container, spellings, summary
from composer.engine.doors import Identity, Other, StartFailed
from composer.engine.early import MOST_BYTES, EarlyInfo, TooLong, read_answer
from composer.engine.events import EventStream
from composer.errors import EngineUnavailable
from composer.planning.observed import Container, Made

READ_SECONDS = 10.0
STOP_MARGIN_SECONDS = 15.0
START_SECONDS = 60.0


class EngineApi:
    """The engine behind a Unix socket."""

    def __init__(self, socket_path: str, early: EarlyInfo | None = None) -> None:
        self._path, self._early = socket_path, early

    def identity(self) -> Identity:
        return self._identity

    @cached_property
    def _identity(self) -> Identity:
        """The engine does not become another one during a command, and this is the slowest question to it."""
        early = self._early.answer() if self._early else None
        info = _json(*_parts(early)) if early else self._get("/info")
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
            Other(container=summary(one), image=one.get("Image", ""), labels=labels, project=labels.get(PROJECT))
            for one in listed
            if (labels := one.get("Labels") or {}).get(PROJECT) != project
        ]
        return tuple(sorted(found, key=lambda other: other.container.name))

    def container(self, id: str) -> Container | None:
        status, body = self._call("GET", f"/containers/{id}/json")
        return None if status == 404 else read_container(_json(status, body))

    def images(self, names: Sequence[str]) -> dict[str, str]:
        wanted, found = set(names), {}
        for image in self._get("/images/json"):
            for tag in [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]:
                found[tag] = image["Id"]
        return {name: found[full] for name in wanted for full in spellings(name) if full in found}

    def networks(self, project: str) -> dict[str, Made]:
        return made(self._get("/networks", {"label": [f"{PROJECT}={project}"]}))

    def volumes(self, project: str) -> dict[str, Made]:
        return made(self._get("/volumes", {"label": [f"{PROJECT}={project}"]}).get("Volumes") or ())

    def project_of_file(self, file: str) -> str | None:
        for one in self._listed({"label": [PROJECT]}):
            if file in one["Labels"].get(f"{PROJECT}.config_files", "").split(","):
                return str(one["Labels"][PROJECT])
        return None

    def stop(self, id: str, seconds: int) -> None:
        status, body = self._call("POST", f"/containers/{id}/stop?t={seconds}", seconds + STOP_MARGIN_SECONDS)
        if status not in (204, 304, 404, 500):  # 500: it could not be killed, and whoever looks will see that
            raise EngineUnavailable(f"Docker refused: {_message(body)}", "the state of the container is unknown; look: docker ps")

    def stop_all(self, graces: Mapping[str, int]) -> None:
        failed: list[EngineUnavailable] = []

        def stop(id_: str, seconds: int) -> None:
            try:
                self.stop(id_, seconds)
            except EngineUnavailable as error:
                failed.append(error)

        threads = [Thread(target=stop, args=one, daemon=True) for one in graces.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for error in failed:
            raise error

    def start(self, id: str) -> None:
        status, body = self._call("POST", f"/containers/{id}/start", START_SECONDS)
        if status not in (204, 304):
            raise StartFailed(_message(body))

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

    @contextmanager
    def changes(self, project: str) -> Iterator[EventStream]:
        wanted = ["start", "die", "oom", "pause", "unpause", "destroy", "health_status"]
        filters = {"label": [f"{PROJECT}={project}"], "type": ["container"], "event": wanted}
        query = urlencode({"filters": json.dumps(filters)}, quote_via=quote)
        with socket.socket(socket.AF_UNIX) as connection:
            stream = EventStream(connection)
            try:
                connection.settimeout(READ_SECONDS)
                connection.connect(self._path)
                connection.sendall(f"GET /events?{query} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
            except OSError:
                stream.ended = True  # whoever looks next will say so
            yield stream

    def last_lines(self, id: str, count: int, since: float = 0.0) -> tuple[str, ...]:
        status, body = self._call("GET", f"/containers/{id}/logs?stdout=1&stderr=1&tail={count}&since={since:.9f}")
        text = b"".join(frames(body)) if status == 200 else b""
        return tuple(plain(line) for line in text.decode(errors="replace").splitlines()[-count:])

    def _listed(self, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("/containers/json?all=1", filters)
        if not isinstance(found, list):  # what is no list would read as an empty one
            raise EngineUnavailable("Docker's list of containers is none", "see what answers there: docker info")
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

    def _call(self, method: str, path: str, seconds: float | None = None, content: str = "") -> tuple[int, bytes]:
        seconds = READ_SECONDS if seconds is None else seconds
        kind = "Content-Type: application/json\r\n" if content else ""
        request = f"{method} {path} HTTP/1.0\r\nHost: docker\r\n{kind}Content-Length: {len(content)}\r\n\r\n{content}"
        deadline = time.monotonic() + seconds
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(seconds)
                connection.connect(self._path)
                connection.sendall(request.encode())
                answer = read_answer(connection, deadline)
        except TooLong:
            raise EngineUnavailable(
                f"Docker answers more than {MOST_BYTES >> 20} MiB", "look at the engine: docker info"
            ) from None
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
