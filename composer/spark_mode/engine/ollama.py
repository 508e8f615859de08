"""A host of models: Ollama's HTTP API, with a deadline for the whole of each answer.

What it answers is not believed: an unload counts when the model is no longer listed. A load is listed from its beginning, and
ends when its request is closed.
"""

import json
import select
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from pydantic import ConfigDict, NonNegativeInt, ValidationError

from spark_mode.engine.doors import HostAbsent, HostedModel, HostFailed
from spark_mode.frozen import Frozen
from spark_mode.lab.workload import tagged
from spark_mode.readable import readable

ASK_SECONDS = 2.0
POLL_SECONDS = 0.05
MOST_BYTES = 1 << 20


class _Listed(Frozen):
    """A loaded model as `GET /api/ps` gives it; what is not named here is dropped."""

    model_config = ConfigDict(extra="ignore")

    name: str
    size: NonNegativeInt
    context_length: NonNegativeInt | None = None
    expires_at: str | None = None


class _Running(Frozen):
    model_config = ConfigDict(extra="ignore")

    models: list[_Listed]


class OllamaApi:
    """One Ollama. Every call raises HostFailed when it does not do what it should within its time."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._at = urlsplit(self._address)

    def has(self) -> dict[str, int]:
        """Return the models that it has on its disk, with their bytes."""
        try:
            listed = _Running.model_validate(self._ask("GET", "/api/tags", None, ASK_SECONDS)).models
        except ValidationError:
            raise HostFailed(f"Ollama at {self._address} answers /api/tags in a form that is not known") from None
        return {one.name: one.size for one in listed}

    def loaded(self) -> tuple[HostedModel, ...]:
        answer = self._ask("GET", "/api/ps", None, ASK_SECONDS)
        try:
            listed = _Running.model_validate(answer).models
        except ValidationError:
            raise HostFailed(f"Ollama at {self._address} answers /api/ps in a form that is not known") from None
        return tuple(
            HostedModel(model=readable(one.name), size=one.size, context_length=one.context_length, expires_at=one.expires_at)
            for one in listed
        )

    def unload(self, model: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        self._ask("POST", "/api/generate", {"model": model, "keep_alive": 0}, seconds)
        while any(tagged(one.model) == tagged(model) for one in self.loaded()):
            if time.monotonic() >= deadline:
                raise HostFailed(
                    f"Ollama at {self._address} still has {model} loaded, {seconds:g} s after it was told to unload it"
                )
            time.sleep(POLL_SECONDS)

    def load(self, model: str, seconds: float, tick: Callable[[], None]) -> None:
        self._ask("POST", "/api/generate", {"model": model, "stream": False}, seconds, tick)
        if not any(tagged(one.model) == tagged(model) for one in self.loaded()):
            raise HostFailed(f"Ollama at {self._address} answered that {model} is loaded, and does not list it")

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        seconds: float,
        tick: Callable[[], None] | None = None,
    ) -> Any:
        """Return the JSON of an answer that is complete within so many seconds; what `tick` raises closes the request."""
        deadline = time.monotonic() + seconds
        late = HostFailed(f"Ollama at {self._address} did not answer {path} within {seconds:g} s")
        try:
            with closing(HTTPConnection(self._at.hostname or "", self._at.port or 80, timeout=seconds)) as connection:
                sent = None if body is None else json.dumps(body).encode()
                self._connect(connection)
                connection.request(method, path, sent)
                _await_answer(connection.sock, deadline, tick)
                with closing(connection.getresponse()) as answer:
                    content = b""
                    while chunk := answer.read1(1 << 16):
                        content += chunk
                        if time.monotonic() >= deadline:
                            raise late
                        if len(content) > MOST_BYTES:
                            raise HostFailed(f"Ollama at {self._address} answers {path} without end")
        except TimeoutError:
            raise late from None
        except (HTTPException, OSError) as error:
            raise HostFailed(f"Ollama does not answer at {self._address}: {_cause(error)}") from None
        return _json(content, answer.status, f"Ollama at {self._address}", path)

    def _connect(self, connection: HTTPConnection) -> None:
        """Connect. Raises HostAbsent where nobody listens, TimeoutError."""
        try:
            connection.connect()
        except TimeoutError:
            raise
        except OSError as error:
            raise HostAbsent(f"nobody listens at {self._address}: {_cause(error)}") from None


def _await_answer(connection: socket.socket, deadline: float, tick: Callable[[], None] | None) -> None:
    """Wait for the first byte of an answer. Raises TimeoutError, and what `tick` raises."""
    while not select.select([connection], [], [], POLL_SECONDS)[0]:
        if time.monotonic() >= deadline:
            raise TimeoutError
        if tick:
            tick()


def _json(content: bytes, status: int, who: str, path: str) -> Any:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        raise HostFailed(f"{who} answers {path} with {status} and something that is not JSON") from None
    if status != 200:
        said = answer.get("error") if isinstance(answer, dict) else None
        raise HostFailed(f"{who} answers {path} with {status}" + (f": {readable(str(said)).strip()[:200]}" if said else ""))
    return answer


def _cause(error: Exception) -> str:
    return readable(str(getattr(error, "strerror", None) or error)).strip()[:200]
