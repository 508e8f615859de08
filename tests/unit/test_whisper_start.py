"""Whisper is ready when its model is loaded, and at no other time; tried with a server that answers as Speaches does."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deep import deep

PROGRAM = Path(__file__).parents[2] / "compose/images/whisper/serve.py"
MODEL = "Systran/faster-whisper-large-v3"
DEADLINE = 30
SPEACHES = """#!{python} -IS
import http.server, os, pathlib, sys
told = pathlib.Path(os.environ["TOLD"])

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200)
    def do_POST(self):
        with told.open("a") as file:
            file.write(self.path + "\\n")
        self.answer(int(os.environ["DOWNLOAD" if self.path.startswith("/v1/models/") else "LOAD"]))
    def answer(self, status):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"as asked")
    def log_message(self, *words):
        pass

if "DEAF" in os.environ:
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "ENDS" in os.environ:
    sys.exit(3)
if "SILENT" in os.environ:
    import socket, time
    quiet = socket.create_server(("127.0.0.1", int(os.environ["UVICORN_PORT"])))
    time.sleep(60)
http.server.HTTPServer(("127.0.0.1", int(os.environ["UVICORN_PORT"])), Answer).serve_forever()
"""


class Start:
    """The start program with its server, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ready, self.told = folder, folder / "ready", folder / "told"
        (folder / "uvicorn").write_text(SPEACHES.format(python=sys.executable))
        (folder / "uvicorn").chmod(0o755)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.environment = os.environ | {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "HOME": str(folder),
            "READY": str(self.ready),
            "TOLD": str(self.told),
            "UVICORN_PORT": str(port),
            "WHISPER_MODEL": MODEL,
            "DOWNLOAD": "200",
            "LOAD": "201",
        }
        self.process: subprocess.Popen[str] | None = None

    def run(self, **environment: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-IS", str(PROGRAM)]  # it needs nothing that is installed
        surroundings = self.environment | environment
        self.process = subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return self.process

    def until_ready(self) -> None:
        deadline = time.monotonic() + DEADLINE
        while not self.ready.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def until_it_hears(self) -> None:
        """Wait until it would pass a stop on: it catches SIGTERM (proc(5), SigCgt)."""
        assert self.process is not None
        deadline, caught = time.monotonic() + DEADLINE, 0
        while not caught >> (signal.SIGTERM - 1) & 1:
            assert time.monotonic() < deadline
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            caught = int(status.partition("SigCgt:")[2].split()[0], 16)

    def asked(self) -> list[str]:
        return self.told.read_text().splitlines()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    one = Start(tmp_path)
    yield one
    if one.process and one.process.poll() is None:
        one.process.send_signal(signal.SIGTERM)
        one.process.communicate(timeout=DEADLINE)


def test_it_downloads_and_loads_the_model_and_is_ready_then(start: Start) -> None:
    start.ready.touch()  # of a container that was stopped and is started again
    start.run()
    deadline = time.monotonic() + DEADLINE
    while not start.told.exists() or len(start.asked()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    start.until_ready()
    assert start.asked() == [f"/v1/models/{MODEL}", f"/api/ps/{MODEL}"]


def test_a_model_that_is_there_is_loaded_without_a_network(start: Start) -> None:
    there = start.folder / ".cache/huggingface/hub/models--Systran--faster-whisper-large-v3/snapshots/edaa852"
    there.mkdir(parents=True)
    (there / "model.bin").touch()
    start.run(DOWNLOAD="500")
    start.until_ready()
    assert start.asked() == [f"/api/ps/{MODEL}"]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"DOWNLOAD": "404"}, f"{MODEL} cannot be downloaded: 404 as asked"),
        ({"LOAD": "500"}, f"{MODEL} cannot be loaded: 500 as asked"),
        pytest.param({"LOAD": "409"}, f"{MODEL} cannot be loaded: 409 as asked", marks=deep),
        ({"ENDS": "1"}, "Speaches ended before it answered."),
        ({"SILENT": "1", "ANSWERS_WITHIN": "0.2"}, "Speaches does not answer after 0.2 s."),
        ({"DEAF": "1", "LOAD": "500", "ENDS_WITHIN": "0.2"}, f"{MODEL} cannot be loaded: 500 as asked"),
        ({"READY": "/proc/ready"}, "/proc/ready cannot be written: [Errno 2] No such file or directory: '/proc/ready'"),
        ({"WHISPER_MODEL": "a/ü b", "LOAD": "404"}, "a/ü b cannot be loaded: 404 as asked"),
    ],
)
def test_a_server_without_its_model_ends_and_says_why(start: Start, environment: dict[str, str], says: str) -> None:
    process = start.run(**environment)
    said, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert said.splitlines()[-1] == says
    assert "Traceback" not in said
    assert not start.ready.exists()


def test_a_stop_reaches_the_server(start: Start) -> None:
    process = start.run()
    start.until_ready()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEADLINE)
    assert process.returncode == 128 + signal.SIGTERM


def test_a_stop_before_the_model_is_loaded_is_no_fault(start: Start) -> None:
    process = start.run(SILENT="1")
    start.until_it_hears()
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=DEADLINE)
    assert (process.returncode, said) == (128 + signal.SIGTERM, "")


def test_a_server_that_is_not_there_is_said_to_be_missing(start: Start) -> None:
    (start.folder / "uvicorn").unlink()
    said, _ = start.run(PATH="/nowhere").communicate(timeout=DEADLINE)
    assert said == "Speaches cannot be started: [Errno 2] No such file or directory: 'uvicorn'\n"
