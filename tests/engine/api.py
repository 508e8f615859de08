"""What the engine itself says: each question through the `docker` command costs the start of a program as well."""

import json
import socket
from functools import cache
from http.client import HTTPConnection
from subprocess import run
from typing import Any
from urllib.parse import quote

SECONDS = 120
HEAD = 8
"""The bytes before what was written at once: which of the streams it is, and how long."""


class Api:
    """An engine's own interface, at a host such as `unix:///run/docker.sock`; without one at that of the current context.

    It shares no code with spark-mode: what it says would be true if spark-mode were wrong.
    """

    def __init__(self, host: str | None) -> None:
        self._path = (host or _usual_host()).removeprefix("unix://")

    def containers(self, project: str | None = None) -> list[dict[str, Any]]:
        """Return what the engine says of each container; one that goes while it is asked for is not there."""
        listed = self._ask("GET", f"/containers/json?all=1&{_of(project)}")
        found = (self._ask("GET", f"/containers/{one['Id']}/json") for one in listed)
        return [one for one in found if one]

    def last_line(self, id_: str) -> str:
        """Return the last line that a container without a terminal wrote."""
        said: bytes = self._asked("GET", f"/containers/{id_}/logs?stdout=1&tail=1")[1]
        return said[HEAD:].decode().strip()

    def remove(self, project: str) -> None:
        """Remove what a project has: containers, networks and volumes."""
        for one in self._ask("GET", f"/containers/json?all=1&{_of(project)}"):
            self._ask("DELETE", f"/containers/{one['Id']}?force=1&v=1")
        for one in self._ask("GET", f"/networks?{_of(project)}"):
            self._ask("DELETE", f"/networks/{one['Id']}")
        for one in self._ask("GET", f"/volumes?{_of(project)}")["Volumes"] or ():
            self._ask("DELETE", f"/volumes/{one['Name']}")

    def _ask(self, method: str, path: str) -> Any:
        """Return an answer, None for what is not there."""
        status, text = self._asked(method, path)
        return json.loads(text) if status == 200 else None

    def _asked(self, method: str, path: str) -> tuple[int, bytes]:
        """Return an answer's status and text; a refusal fails the test, but for what is not there."""
        connection = HTTPConnection("docker", timeout=SECONDS)
        with socket.socket(socket.AF_UNIX) as connection.sock:
            connection.sock.settimeout(SECONDS)
            connection.sock.connect(self._path)
            connection.request(method, path)
            response = connection.getresponse()
            text = response.read()
        assert response.status < 300 or response.status == 404, f"{method} {path}: {text.decode()}"
        return response.status, text


def _of(project: str | None) -> str:
    filters = {"label": [f"com.docker.compose.project={project}"]} if project else {}
    return f"filters={quote(json.dumps(filters))}"


@cache
def _usual_host() -> str:
    command = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    return run(command, check=True, capture_output=True, text=True, timeout=SECONDS).stdout.strip()
