"""The engine over its local socket: the bare Engine API, because a client library costs more to import than to use.

HTTP/1.0 is all it takes: one question a connection, and the answer ends where the connection does. Only a look at many
containers asks for all of them over one connection (`sweep.py`).

Reads take 1 to 5 ms. Every question to the engine has one deadline until the last byte of its answer, and a bound on what that
may bring. Every failure of the transport is EngineUnavailable. So is every
answer that has not the form that is needed. Events alone come without end and without a deadline (`changes`): whoever waits
for one says how long, and their failure only ends them.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from threading import Event
from typing import TypeVar
from urllib.parse import quote, urlencode

from spark_mode.engine import answers
from spark_mode.engine.answers import OTHER_FORM, PROJECT, frames, spellings
from spark_mode.engine.doors import Identity, StartFailed
from spark_mode.engine.events import EventStream
from spark_mode.engine.pace import Pace
from spark_mode.engine.sweep import MOST_BYTES, TooLong, swept
from spark_mode.engine.threads import started
from spark_mode.errors import EngineUnavailable
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import ForeignContainer
from spark_mode.planning.observed import Made
from spark_mode.readable import readable

Read = TypeVar("Read")

READ_SECONDS = 10.0
STOP_MARGIN_SECONDS = 15.0
EACH_SECONDS = 1.0
"""How much longer a stop may take for each of those that go with it: an engine takes down a few containers a second."""
START_SECONDS = 60.0
ENDING, ENDING_SECONDS = b"Cannot update container", 0.05
"""What the engine says of a change that the runtime did not make, as while a container ends; and when to ask again.

Why it did not is said in words of each moment of an end: "cannot update a stopped container", "container not running", "cannot
update a deleted process".
"""
LONGEST_LINE = 4000
"""Characters of a line of a log that are looked at: what draws a bar, or dumps what it has, writes a line without end."""
STOPS_FOR_A_PROCESSOR = 3
"""How many stops an engine is busy with at a time, for each processor: a hundred at once take two of them twice as long."""
NEXT_STOP_SECONDS = 0.05
"""After how long the next stop begins all the same: what takes its grace holds no other up."""


class EngineApi:
    """The engine behind a Unix socket."""

    def __init__(self, socket_path: str) -> None:
        self._path = socket_path

    def identity(self) -> Identity:
        return self._identity

    @cached_property
    def _identity(self) -> Identity:
        """The engine does not become another one during a command, and this is the slowest question to it."""
        return self._get("/info", answers.identity)

    def containers(self, project: str) -> tuple[Container, ...]:
        seen = self.those(self._listed(answers.ids, {"label": [f"{PROJECT}={project}"]}))
        return tuple(sorted(seen, key=lambda container: container.name))

    def others(self, project: str) -> tuple[ForeignContainer, ...]:
        active = {"status": ["running", "paused", "restarting", "removing"]}
        return self._listed(lambda listed: answers.others(listed, project), active)

    def container(self, id: str) -> Container | None:
        path = f"/containers/{id}/json"
        return _container(path, *self._call("GET", path))

    def those(self, ids: Sequence[str]) -> tuple[Container, ...]:
        seen = (_container(*answer) for answer in self._sweep([f"/containers/{id_}/json" for id_ in ids]))
        return tuple(one for one in seen if one)

    def _sweep(self, paths: Sequence[str]) -> Iterator[tuple[str, int, bytes]]:
        """Yield path, status and body of each answer; what an engine does not answer in one sweep is asked one by one."""
        answered = 0
        with self._answering(READ_SECONDS):
            for path, (status, body) in zip(paths, swept(self._path, paths, READ_SECONDS), strict=False):
                answered += 1
                yield path, status, body
        for path in paths[answered:]:
            yield path, *self._call("GET", path)

    def images(self, names: Sequence[str]) -> dict[str, str]:
        wanted, found = set(names), self._get("/images/json", answers.images)
        return {name: found[full] for name in wanted for full in spellings(name) if full in found}

    def checked_images(self, names: Sequence[str]) -> frozenset[str]:
        paths = [f"/images/{quote(name, safe='/:@')}/json" for name in names]
        return frozenset(name for name, answer in zip(names, self._sweep(paths), strict=True) if _is_checked(*answer))

    def networks(self, project: str) -> dict[str, Made]:
        return self._get("/networks", answers.made, {"label": [f"{PROJECT}={project}"]})

    def network_names(self) -> frozenset[str]:
        return self._get("/networks", answers.network_names)

    def volumes(self, project: str) -> dict[str, Made]:
        return self._get("/volumes", answers.volumes, {"label": [f"{PROJECT}={project}"]})

    def project_of_file(self, file: str) -> str | None:
        return self._listed(lambda listed: answers.project_of(listed, file), {"label": [PROJECT]})

    def stop(self, id: str, seconds: int) -> None:
        self._stop(id, seconds, STOP_MARGIN_SECONDS)

    def _stop(self, id: str, seconds: int, margin: float) -> None:
        status, body = self._call("POST", f"/containers/{id}/stop?t={seconds}", seconds + margin)
        if status not in (204, 304, 404, 500):  # 500: it could not be killed, and whoever looks will see that
            raise EngineUnavailable(f"Docker refused: {_message(body)}", "the state of the container is unknown; look: docker ps")

    def stop_all(self, graces: Mapping[str, int], after: Mapping[str, Collection[str]] | None = None) -> None:
        margin = STOP_MARGIN_SECONDS + len(graces) * EACH_SECONDS
        stopped = {id_: Event() for id_ in graces}

        def stop(id_: str) -> None:
            for other in (after or {}).get(id_, ()):
                stopped[other].wait()
            try:
                self._stop(id_, graces[id_], margin)
            finally:
                stopped[id_].set()

        _at_once(stop, graces, Pace(STOPS_FOR_A_PROCESSOR * (os.cpu_count() or 1), NEXT_STOP_SECONDS))

    def start_all(self, ids: Collection[str]) -> dict[str, str]:
        failed: dict[str, str] = {}

        def start(id_: str) -> None:
            try:
                self.start(id_)
            except StartFailed as error:
                failed[id_] = str(error)

        _at_once(start, ids)
        return failed

    def remove(self, id: str) -> None:
        status, body = self._call("DELETE", f"/containers/{id}", STOP_MARGIN_SECONDS)
        if status not in (204, 404, 409):  # 409: it runs, or is being removed, and whoever looks will see that
            raise EngineUnavailable(f"Docker refused: {_message(body)}", "the state of the container is unknown; look: docker ps")

    def start(self, id: str) -> None:
        status, body = self._call("POST", f"/containers/{id}/start", START_SECONDS)
        if status not in (204, 304):
            raise StartFailed(_message(body))

    def unpause(self, id: str) -> None:
        self._act(f"/containers/{id}/unpause", STOP_MARGIN_SECONDS)

    def set_restart_policy(self, id: str, policy: str, retries: int) -> None:
        status, body = self._update(id, json.dumps({"RestartPolicy": {"Name": policy, "MaximumRetryCount": retries}}))
        if status not in (200, 404):
            raise EngineUnavailable(f"Docker refused: {_message(body)}", "its restart policy is unknown; look: docker inspect")

    def _update(self, id: str, wanted: str) -> tuple[int, bytes]:
        """Change a container. One that ends just now runs for the engine, and not for its runtime: soon they agree."""
        deadline = time.monotonic() + STOP_MARGIN_SECONDS
        while True:
            status, body = self._call("POST", f"/containers/{id}/update", STOP_MARGIN_SECONDS, wanted)
            if ENDING not in body or time.monotonic() > deadline:
                return status, body
            time.sleep(ENDING_SECONDS)

    def set_restart_policies(self, policies: Mapping[str, tuple[str, int]]) -> None:
        _at_once(lambda id_: self.set_restart_policy(id_, *policies[id_]), policies)

    def memory_of(self, id: str) -> int | None:
        path = f"/containers/{id}/stats?stream=false&one-shot=true"
        return _memory(path, *self._call("GET", path))

    def memories_of(self, ids: Sequence[str]) -> dict[str, int | None]:
        paths = [f"/containers/{id_}/stats?stream=false&one-shot=true" for id_ in ids]
        return {id_: _memory(*answer) for id_, answer in zip(ids, self._sweep(paths), strict=True)}

    @contextmanager
    def changes(self, *projects: str) -> Iterator[EventStream]:
        wanted = ["start", "die", "oom", "pause", "unpause", "destroy", "health_status"]
        label = f"{PROJECT}={projects[0]}" if len(projects) == 1 else PROJECT  # the engine takes labels together, not either
        filters = {"label": [label], "type": ["container"], "event": wanted}
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
        lines = text.decode(errors="replace").splitlines()[-count:]
        return tuple(readable(line[:LONGEST_LINE]).strip() for line in lines)

    def _listed(self, read: Callable[[object], Read], filters: dict[str, list[str]]) -> Read:
        return self._get("/containers/json?all=1", read, filters)

    def _get(self, path: str, read: Callable[[object], Read], filters: dict[str, list[str]] | None = None) -> Read:
        asked = f"GET {path.partition('?')[0]}"
        if filters:
            path += ("&" if "?" in path else "?") + urlencode({"filters": json.dumps(filters)}, quote_via=quote)
        return _read(asked, *self._call("GET", path), read)

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
        with self._answering(seconds), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(self._path)
            connection.sendall(request.encode())
            answer = _read_answer(connection, deadline)
        return _parts(answer)

    @contextmanager
    def _answering(self, seconds: float) -> Iterator[None]:
        """Raise EngineUnavailable for every failure of the transport."""
        try:
            yield
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


def _at_once(act: Callable[[str], None], ids: Iterable[str], pace: Pace | None = None) -> None:
    """Do something to containers at once, or one by one where there is no place for threads, and return when all of it is done.

    Raises the first EngineUnavailable of them.
    """
    failed: list[EngineUnavailable] = []

    def acting(id_: str) -> None:
        try:
            act(id_)
        except EngineUnavailable as error:
            failed.append(error)
        finally:
            if pace:
                pace.ended()

    threads = []
    for id_ in ids:
        if pace:
            pace.begin()
        if thread := started(partial(acting, id_)):
            threads.append(thread)
        else:
            acting(id_)
    for thread in threads:
        thread.join()
    for error in failed:
        raise error


def _read_answer(connection: socket.socket, deadline: float) -> bytes:
    """Return all that comes until the connection ends. Raises TimeoutError at the deadline (monotonic), TooLong, OSError."""
    answer = bytearray()
    while len(answer) <= MOST_BYTES:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        chunk = connection.recv(1 << 16)
        if not chunk:
            return bytes(answer)
        answer += chunk
    raise TooLong


def _parts(answer: bytes) -> tuple[int, bytes]:
    """Return status and body of an HTTP/1.0 answer, which ends where the connection does."""
    head, separator, body = answer.partition(b"\r\n\r\n")
    status = head.split(None, 2)[1:2]
    if not separator or not status or not status[0].isdigit() or len(status[0]) != 3:
        raise EngineUnavailable("Docker broke its answer off", "look at the engine: docker info")
    return int(status[0]), body


def _read(asked: str, status: int, body: bytes, read: Callable[[object], Read]) -> Read:
    """Return what `read` makes of an answer. Raises EngineUnavailable for any other than the one that is needed."""
    if status != 200:
        raise EngineUnavailable(f"Docker answered {status}: {_message(body)}", "look at the engine: docker info")
    try:
        return read(json.loads(body))
    except OTHER_FORM:
        begins = readable(body[:80].decode(errors="replace")).strip() or "it said nothing"
        message = f"the engine's answer to {asked} has not the expected form; it begins: {begins}"
        raise EngineUnavailable(message, "see what answers there: docker info") from None


def _container(path: str, status: int, body: bytes) -> Container | None:
    """Return the container that was asked for, None for one that is gone."""
    return None if status == 404 else _read(f"GET {path}", status, body, answers.read_container)


def _is_checked(path: str, status: int, body: bytes) -> bool:
    return status == 200 and _read(f"GET {path}", status, body, answers.is_checked)


def _memory(path: str, status: int, body: bytes) -> int | None:
    return _read(f"GET {path.partition('?')[0]}", status, body, answers.memory_of) if status == 200 else None


def _message(body: bytes) -> str:
    try:
        return readable(str(json.loads(body)["message"])).strip()[:500]
    except OTHER_FORM:
        return readable(body[:200].decode(errors="replace")).strip()
