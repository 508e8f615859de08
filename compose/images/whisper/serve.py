"""Runs Speaches, and has a model in memory before it says that it is ready: alone it would load one with the first request.

    WHISPER_MODEL     the model, as Hugging Face names it
    READY             the file that is there once it is loaded (default /tmp/ready)
    ANSWERS_WITHIN    seconds until the server must answer (default 120)
    ENDS_WITHIN       seconds until it must have ended after a SIGTERM, or is killed (default 10)

A model that cannot be downloaded or loaded ends the server. A stop is passed on to it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Timer
from types import FrameType
from typing import NoReturn
from urllib.parse import quote

READY = Path(os.environ.get("READY", "/tmp/ready"))  # noqa: S108 - nobody else is in this container
PORT = int(os.environ.get("UVICORN_PORT", "8000"))
ANSWERS_WITHIN = float(os.environ.get("ANSWERS_WITHIN", "120"))  # seconds
LOADED_WITHIN = 3600.0  # seconds, the download of 3 GB included
ENDS_WITHIN = float(os.environ.get("ENDS_WITHIN", "10"))  # seconds


def ask(method: str, path: str, seconds: float) -> tuple[int, str]:
    """Return the status and the text of an answer; the status is 0 when there is none."""
    connection = HTTPConnection("127.0.0.1", PORT, timeout=seconds)
    try:
        connection.request(method, f"/{path}")
        answer = connection.getresponse()
        return answer.status, answer.read(4096).decode(errors="replace")
    except (OSError, HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


class Speaches:
    """The server, a process of ours."""

    def __init__(self) -> None:
        self.stopped_by = 0
        try:
            self._process = subprocess.Popen(["uvicorn", "--factory", "speaches.main:create_app"])
        except OSError as error:
            sys.exit(f"Speaches cannot be started: {error}")
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - what Python calls it with
        self.stopped_by = number
        self._process.send_signal(number)

    def until_it_answers(self) -> None:
        """Wait until the server answers; end it, and this program, when it does not."""
        deadline = time.monotonic() + ANSWERS_WITHIN
        while ask("GET", "health", min(5.0, max(0.1, deadline - time.monotonic())))[0] != 200:
            if self._process.poll() is not None:
                self.end("Speaches ended before it answered.")
            if time.monotonic() > deadline:
                self.end(f"Speaches does not answer after {ANSWERS_WITHIN:g} s.")
            time.sleep(0.1)

    def load(self, model: str) -> None:
        """Download the model where it is missing, and load it."""
        too_long = Timer(LOADED_WITHIN, self._process.kill)
        too_long.daemon = True
        too_long.start()
        if not any(weights(model)):
            print(f"downloads {model}", flush=True)
            status, text = ask("POST", f"v1/models/{quote(model)}", LOADED_WITHIN)
            if status not in (200, 201):
                self.end(f"{model} cannot be downloaded: {status} {text}")
        # 201 means that it was loaded now. Nothing else does: the list of loaded models has those too whose loading failed.
        status, text = ask("POST", f"api/ps/{quote(model)}", LOADED_WITHIN)
        if status != 201:
            self.end(f"{model} cannot be loaded: {status} {text}")
        too_long.cancel()
        try:
            READY.touch()
        except OSError as error:
            self.end(f"{READY} cannot be written: {error}")
        print(f"{model} is loaded", flush=True)

    def end(self, why: str) -> NoReturn:
        """End the server, and this program with a reason; a stop that was asked for needs none."""
        self._process.terminate()
        try:
            self._process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        sys.exit(128 + self.stopped_by if self.stopped_by else why)

    def wait(self) -> int:
        """Return the server's exit code, once it has ended; as a shell tells it."""
        code = self._process.wait()
        return code if code >= 0 else 128 - code


def weights(model: str) -> Iterator[Path]:
    """Yield the model's weights in the cache, so that a start needs no network."""
    return (Path.home() / ".cache/huggingface/hub").glob(f"models--{model.replace('/', '--')}/snapshots/*/model.bin")


def main() -> int:
    """Serve until the server ends; return its exit code."""
    READY.unlink(missing_ok=True)
    server = Speaches()
    server.until_it_answers()
    server.load(os.environ["WHISPER_MODEL"])
    return server.wait()


if __name__ == "__main__":
    sys.exit(main())
