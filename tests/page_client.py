"""A page as a process of its own, and a client of it that says exactly what a test has it say, and a browser never would."""

import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from click.testing import CliRunner

from spark_mode.cli.context import CliOptions
from spark_mode.cli.main import cli
from tests.audio_lab import ROOT
from tests.engine.forked import Forked
from tests.known_plugin import configuration

SECONDS = 60.0


class Answer:
    """What came back: the status, headers by their names in small letters, and the rest."""

    def __init__(self, text: str) -> None:
        head, _, self.body = text.partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def connected(place: str, host: str = "127.0.0.1") -> socket.socket:
    """Connect to where a page listens: a port, or a socket's path."""
    if "/" not in place:
        return socket.create_connection((host, int(place)), SECONDS)
    asking = socket.socket(socket.AF_UNIX)
    asking.settimeout(SECONDS)
    asking.connect(place)
    return asking


def sends(place: str, text: str, host: str = "127.0.0.1") -> Answer:
    """Send what may be no HTTP at all, and read until the page has no more to say."""
    with closing(connected(place, host)) as asking:
        asking.sendall(text.encode("latin-1"))
        return Answer(asking.makefile("rb").read().decode("latin-1"))


def request(path: str = "/", method: str = "GET", body: str = "", **headers: str) -> str:
    """Return a request after which the connection ends; `_` in the name of a header stands for `-`."""
    sent = {"Host": "localhost:1", "Connection": "close"} | {name.replace("_", "-"): value for name, value in headers.items()}
    sent |= {"Content-Length": str(len(body))} if body else {}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    return "\r\n".join([*lines, "", body])


class Running:
    """A page that runs, and the link's cookie once it was opened."""

    def __init__(self, process: subprocess.Popen[str], place: str, environment: dict[str, str]) -> None:
        self.process, self.place, self.environment = process, place, environment
        self.cookie = ""

    def connected(self) -> socket.socket:
        return connected(self.place)

    def sends(self, text: str, host: str = "127.0.0.1") -> Answer:
        return sends(self.place, text, host)

    def request(self, path: str = "/", method: str = "GET", body: str = "", **headers: str) -> str:
        """Return a request, with the cookie where there is one."""
        return request(path, method, body, Cookie=f"spark-mode-1={self.cookie}", **headers)

    def get(self, path: str = "/", **headers: str) -> Answer:
        return self.sends(self.request(path, **headers))

    def link(self, *arguments: str) -> str:
        """Have another one printed; return its address."""
        words = ["page", "link", "--format", "json", *arguments]
        done = CliRunner().invoke(cli, words, env=self.environment, obj=CliOptions(), catch_exceptions=False)
        return str(json.loads(done.output)["url"])

    def opens(self, link: str) -> Answer:
        """Follow a link, and keep its cookie."""
        answer = self.get("/link?" + link.partition("?")[2])
        self.cookie = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
        return answer


@contextmanager
def running(*arguments: str, state: str | None = None) -> Iterator[Running]:
    """Have a page run in a state, one of its own if none is named. What it says is kept out of sight until it has ended."""
    with tempfile.TemporaryDirectory(prefix="spark-mode-test-") as own:  # a socket's path is short
        environment = os.environ | {"XDG_STATE_HOME": state or own, "DOCKER_CONFIG": configuration()}
        with Forked(["-C", str(ROOT), "page", *arguments, "--format", "json"], Path(own), environment) as process:
            assert process.stdout is not None
            said = "".join(iter(process.stdout.readline, "}\n")) + "}"
            try:
                yield Running(process, json.loads(said)["place"], environment)
            finally:
                process.kill()
