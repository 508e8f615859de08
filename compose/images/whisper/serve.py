"""Runs Speaches, and has a model in memory before it says that it is ready: alone it would load one with the first request.

    WHISPER_MODEL    the model, as Hugging Face names it
    READY            the file that is there once it is loaded (default /tmp/ready)

A model that cannot be downloaded or loaded ends the server. A stop is passed on to it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

READY = Path(os.environ.get("READY", "/tmp/ready"))  # noqa: S108 - nobody else is in this container
API = f"http://127.0.0.1:{os.environ.get('UVICORN_PORT', '8000')}"
ANSWERS_WITHIN = 120.0  # seconds
LOADED_WITHIN = 3600.0  # seconds, the download of 3 GB included


def ask(method: str, path: str, seconds: float) -> tuple[int, str]:
    """Return the status and the text of an answer; the status is 0 when there is none."""
    try:
        with urlopen(Request(f"{API}/{path}", method=method), timeout=seconds) as answer:  # noqa: S310 - API is http
            return answer.status, answer.read().decode(errors="replace")
    except HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except (URLError, OSError) as error:
        return 0, str(error)


def wait_for(server: "subprocess.Popen[bytes]") -> None:
    """Wait until the server answers; end it, and this program, when it does not."""
    deadline = time.monotonic() + ANSWERS_WITHIN
    while ask("GET", "health", 5)[0] != 200:
        if server.poll() is not None:
            sys.exit("Speaches ended before it answered.")
        if time.monotonic() > deadline:
            end(server, f"Speaches does not answer after {ANSWERS_WITHIN:g} s.")
        time.sleep(0.5)


def load(server: "subprocess.Popen[bytes]", model: str) -> None:
    """Download the model where it is missing, and load it."""
    if not any(weights(model)):
        print(f"downloads {model}", flush=True)
        status, text = ask("POST", f"v1/models/{model}", LOADED_WITHIN)
        if status not in (200, 201):
            end(server, f"{model} cannot be downloaded: {text}")
    # 201 means that it was loaded now. Nothing else does: the list of loaded models has those too whose loading failed.
    status, text = ask("POST", f"api/ps/{model}", LOADED_WITHIN)
    if status != 201:
        end(server, f"{model} cannot be loaded: {text}")
    READY.touch()
    print(f"{model} is loaded", flush=True)


def weights(model: str) -> Iterator[Path]:
    """Yield the model's weights in the cache, so that a start needs no network."""
    return (Path.home() / ".cache/huggingface/hub").glob(f"models--{model.replace('/', '--')}/snapshots/*/model.bin")


def end(server: "subprocess.Popen[bytes]", why: str) -> None:
    """End the server, and this program with a reason."""
    server.terminate()
    server.wait()
    sys.exit(why)


def main() -> int:
    """Serve until the server ends; return its exit code."""
    READY.unlink(missing_ok=True)
    server = subprocess.Popen(["uvicorn", "--factory", "speaches.main:create_app"])

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what Python calls it with
        server.send_signal(number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    wait_for(server)
    load(server, os.environ["WHISPER_MODEL"])
    code = server.wait()
    return code if code >= 0 else 128 - code  # ended by a signal, as a shell tells it


if __name__ == "__main__":
    sys.exit(main())
