"""The stand-in's Ollama: the same HTTP API, and models that really take memory until they are unloaded or expire.

STAND_IN_MODELS   its models and what each takes: `llama3.1:8b=312.5MB,devstral=3000MB`
faults, beside those of every stand-in
    ollama-hangs              answers nothing under /api
    ollama-hangs-unload       does not answer when it is told to unload
    ollama-lies               says that it unloaded a model, and keeps it
    ollama-nonsense           answers what is not JSON
    ollama-wrong-shape        lists its loaded models in a form that nobody knows
    ollama-drips              lists them one byte at a time, without end
    ollama-errors             answers 500
    ollama-grows=MB           a loaded model takes so much more than its size
    ollama-loads=SECONDS      a model takes so long to load
    ollama-reloads=SECONDS    an unloaded model is loaded again so much later, as a client would do
"""

import json
import os
import re
import select
import socket
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread, Timer
from typing import NamedTuple

FAULTS = frozenset(
    f"ollama-{name}"
    for name in ("hangs", "hangs-unload", "lies", "nonsense", "wrong-shape", "drips", "errors", "grows", "loads", "reloads")
)
DAY = 24 * 60 * 60.0
UNITS = {"s": 1, "m": 60, "h": 3600}


class Loaded(NamedTuple):
    """A loaded model: what it takes, and when it expires (monotonic seconds)."""

    size: int
    until: float


class Ollama(ThreadingHTTPServer):
    """Serves models whose sizes are given in bytes; what they take lies as files in `folder`."""

    daemon_threads = True

    def __init__(
        self,
        port: int,
        sizes: Mapping[str, int],
        faults: Mapping[str, str],
        folder: Path,
        keep_alive: str = "5m",
        context: int = 8192,
        load_seconds: float = 0.2,
    ) -> None:
        super().__init__(("", port), Answer)
        self.sizes = {tagged(name): size for name, size in sizes.items()}
        self.faults, self.folder, self.context, self.load_seconds = faults, folder, context, load_seconds
        self.keep_alive = seconds(keep_alive)
        self._loaded: dict[str, Loaded] = {}
        self._lock = Lock()
        Thread(target=self.serve_forever, daemon=True).start()
        Thread(target=self._expire, daemon=True).start()

    def loaded(self) -> dict[str, Loaded]:
        """Return what is loaded now."""
        return dict(self._loaded)

    def load(self, model: str, keep: float, wanted: Callable[[], bool] = lambda: True) -> None:
        """Load a model, or keep it for longer. It is listed from the beginning; nobody `wanted` any more, it is given up."""
        with self._lock:
            if model not in self._loaded:
                size = self.sizes[model] + int(float(self.faults.get("ollama-grows", 0)) * 10**6)
                self._loaded[model] = Loaded(size, time.monotonic() + DAY)
                if not self._take(model, size, wanted):
                    return
                print(f"loaded {model}, {size / 10**6:g} MB", flush=True)
            self._loaded[model] = self._loaded[model]._replace(until=time.monotonic() + keep)

    def _take(self, model: str, size: int, wanted: Callable[[], bool]) -> bool:
        """Take a model's memory bit by bit, and return whether it was wanted to the end; else nothing of it is left."""
        with self._file(model).open("wb") as file:
            for tenth in range(10):
                os.posix_fallocate(file.fileno(), size * tenth // 10, max(1, size // 10))
                time.sleep(float(self.faults.get("ollama-loads", self.load_seconds)) / 10)
                if not wanted():
                    self._file(model).unlink()
                    del self._loaded[model]
                    print(f"gave up loading {model}", flush=True)
                    return False
        return True

    def unload(self, model: str, because: str = "unloaded") -> None:
        """Give a model's memory back; one that is not loaded has none."""
        with self._lock:
            if self._loaded.pop(model, None):
                self._file(model).unlink()
                print(f"{because} {model}", flush=True)
        if "ollama-reloads" in self.faults and because == "unloaded":
            again = Timer(float(self.faults["ollama-reloads"]), self.load, (model, DAY))
            again.daemon = True
            again.start()

    def _file(self, model: str) -> Path:
        return self.folder / f"model-{re.sub('[^a-z0-9]', '-', model)}"

    def _expire(self) -> None:
        while True:
            time.sleep(0.1)
            for model, one in self.loaded().items():
                if time.monotonic() >= one.until:
                    self.unload(model, "expired")


class Answer(BaseHTTPRequestHandler):
    """Answers one request, or fails at it as it is told to."""

    server: Ollama

    def do_GET(self) -> None:
        if self.path == "/":
            self._send(200, b"Ollama is running")
        elif not self._fails():
            self._get()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self._fails():
            return
        model = tagged(str(body.get("model", "")))
        if model not in self.server.sizes:
            self._json(404, {"error": f"model '{body.get('model')}' not found"})
        elif not body.get("prompt") and not body.get("messages") and body.get("keep_alive") in (0, "0", "0s"):
            if "ollama-hangs-unload" in self.server.faults:
                time.sleep(DAY)
            if "ollama-lies" not in self.server.faults:
                self.server.unload(model)
            self._done(model, "unload")
        else:
            keep = body.get("keep_alive")
            self.server.load(model, self.server.keep_alive if keep is None else seconds(str(keep)), self._is_asked)
            if self._is_asked():
                self._done(model, "load")

    def _get(self) -> None:
        if self.path == "/api/version":
            self._json(200, {"version": "0.0.0-stand-in"})
        elif self.path == "/api/tags":
            self._json(200, {"models": [{"name": name, "model": name, "size": size} for name, size in self.server.sizes.items()]})
        elif self.path != "/api/ps":
            self._json(404, {"error": "not found"})
        elif "ollama-wrong-shape" in self.server.faults:
            self._json(200, {"models": 7})
        elif "ollama-drips" in self.server.faults:
            self._drip()
        else:
            self._json(200, {"models": [self._listed(name, one) for name, one in self.server.loaded().items()]})

    def _is_asked(self) -> bool:
        """Whether whoever asked still waits for the answer: a closed connection can be read, and has nothing."""
        return not select.select([self.connection], [], [], 0)[0] or bool(self.connection.recv(1, socket.MSG_PEEK))

    def _listed(self, name: str, one: Loaded) -> dict[str, object]:
        expires = datetime.now(UTC) + timedelta(seconds=one.until - time.monotonic())
        return {
            "name": name,
            "model": name,
            "size": one.size,
            "size_vram": one.size,
            "digest": "",
            "details": {},
            "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%S.%f000Z"),
            "context_length": self.server.context,
        }

    def _fails(self) -> bool:
        faults = self.server.faults
        if "ollama-hangs" in faults:
            time.sleep(DAY)
        if "ollama-nonsense" in faults:
            self._send(200, b"<html>not json</html>")
        elif "ollama-errors" in faults:
            self._json(500, {"error": "out of order"})
        return "ollama-nonsense" in faults or "ollama-errors" in faults

    def _drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.2)

    def _done(self, model: str, reason: str) -> None:
        self._json(
            200,
            {"model": model, "created_at": datetime.now(UTC).isoformat(), "response": "", "done": True, "done_reason": reason},
        )

    def _json(self, status: int, content: Mapping[str, object]) -> None:
        self._send(status, json.dumps(content).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: the log is for what the service does."""


def tagged(model: str) -> str:
    """Return a model's name with its tag, as Ollama lists it."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def seconds(text: str) -> float:
    """Return `5m`, `300` or `-1`, which is for ever, in seconds."""
    if text.startswith("-"):
        return DAY
    return float(text) if text[-1].isdigit() else float(text[:-1]) * UNITS[text[-1]]
