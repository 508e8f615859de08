"""Reading the Compose project: Compose resolves its own files, and this asks it for the result.

The three questions (resolved configuration, hashes, version) run at once and can be asked before anything heavy is
imported: a question costs about 100 ms, most of it Compose's own start.
"""

import json
import os
import re
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from composer.engine.project_cache import Kept, ProjectCache

if TYPE_CHECKING:
    import subprocess

    from composer.errors import EngineUnavailable
    from composer.lab.project import Project

READ_SECONDS = 20.0
TIMED_OUT = (124, 137, -9)  # timeout(1): it ended the command, or itself with it
OLDEST_COMPOSE = (2, 36)
_REMOTE = re.compile(r"^(oci|https?|git|ssh)://|^git@|\.git(#|$)|^github\.com/")
_QUESTIONS = {
    "config": ("--profile", "*", "config", "--format", "json"),
    "hashes": ("--profile", "*", "config", "--hash", "*"),
    "version": ("version", "--short"),
}


def environment(socket: str) -> dict[str, str]:
    """Return the environment of Compose commands: the caller's, because files refer to it, without Compose's settings.

    What a `.env` file may set and a flag does not override is set here to what it shall be.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COMPOSE_") and key != "DOCKER_CONTEXT"}
    return kept | settings(socket)


def settings(socket: str) -> dict[str, str]:
    """Return the settings that every Compose command gets, whatever the caller's environment and `.env` say."""
    return {
        "DOCKER_HOST": f"unix://{socket}",
        "COMPOSE_REMOVE_ORPHANS": "false",
        "COMPOSE_IGNORE_ORPHANS": "true",
        "COMPOSE_MENU": "false",
    }


class LabPaths(Protocol):
    """The fields of `LabFiles` that Compose is told; a Protocol, because that model takes longer to import."""

    @property
    def compose(self) -> tuple[str, ...]:
        """The Compose files."""

    @property
    def project_directory(self) -> str | None:
        """Compose's project directory."""

    @property
    def project_name(self) -> str | None:
        """Compose's project name."""

    @property
    def env_files(self) -> tuple[str, ...]:
        """Compose's environment files."""


class ComposeFiles:
    """The Compose files of a lab, behind the engine's socket. `version` is that of Compose, once the files were read."""

    def __init__(self, files: LabPaths, socket: str, cache: ProjectCache | None = None) -> None:
        self._files, self._socket, self._cache = files, socket, cache
        self._kept: Kept | None = None
        self._asked: dict[str, subprocess.Popen[str]] = {}
        self.version = ""

    def prefetch(self) -> None:
        """Ask Compose, without waiting for the answers, unless it is known what they would be.

        Raises ConfigurationError for remote files, EngineUnavailable where there is no `docker` command.
        """
        from composer.errors import ConfigurationError, EngineUnavailable

        if self._asked or self._kept:
            return
        if self._cache and (kept := self._cache.find()):
            self._kept = kept
            return
        for file in self._files.compose:
            if _REMOTE.search(file):
                raise ConfigurationError(f"{file}: Compose files from elsewhere are not used", "copy it here, and read it first")
        import subprocess  # 4 ms, which only a question pays

        deadline = ["timeout", "-k", "1", f"{READ_SECONDS:g}"]  # it ends what Compose started, too, even when we are gone
        command = [*deadline, "docker", "compose", *_flags(self._files)]
        for name, question in _QUESTIONS.items():
            try:
                self._asked[name] = subprocess.Popen(
                    [*command, *question],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=environment(self._socket),
                    text=True,
                    errors="replace",
                    start_new_session=True,
                )
            except OSError:
                raise EngineUnavailable(
                    "there is no `docker` command", "install Docker: https://docs.docker.com/engine/install/"
                ) from None

    def read(self) -> "Project":
        """Return the project. Raises ConfigurationError for what Compose says is wrong with the files or itself."""
        from composer.errors import ConfigurationError
        from composer.lab.project import Project, read_project

        self.prefetch()
        if self._kept:
            self.version = self._kept.version
            return Project.model_validate(self._kept.project)
        answers = self._collect()
        version = answers["version"].text("Docker Compose is missing", "install docker-compose-plugin")
        self.version = version.strip().removeprefix("v")
        _check_version(self.version)
        first = self._files.compose[0] if self._files.compose else "the Compose files"
        fix = "correct it; nothing was touched"
        resolved: dict[str, Any] = json.loads(answers["config"].text(first, fix))
        if not resolved.get("services"):
            raise ConfigurationError(f"{first}: has no services", fix)
        hashes = answers["hashes"].text(first, fix)
        project = read_project(resolved, dict(line.split() for line in hashes.splitlines() if line))
        if self._cache:
            self._cache.keep(self.version, project.model_dump(mode="json"))
        return project

    def _collect(self) -> dict[str, "_Answer"]:
        """Wait for all answers, under one deadline."""
        import subprocess

        deadline = time.monotonic() + READ_SECONDS + 2
        try:
            texts = {
                name: asked.communicate(timeout=max(0.0, deadline - time.monotonic())) for name, asked in self._asked.items()
            }
            return {name: _Answer(self._asked[name].returncode, *text) for name, text in texts.items()}
        except subprocess.TimeoutExpired:
            raise _too_slow() from None
        finally:
            for asked in self._asked.values():
                _end(asked)
            self._asked = {}


def _end(asked: "subprocess.Popen[str]") -> None:
    """End a question with everything that it started: the plugin outlives the `docker` that ran it, and holds its output."""
    with suppress(ProcessLookupError):
        os.killpg(asked.pid, signal.SIGKILL)
    for stream in (asked.stdout, asked.stderr):
        if stream:
            stream.close()
    asked.wait()


class _Answer(NamedTuple):
    code: int
    output: str
    errors: str

    def text(self, where: str, fix: str) -> str:
        from composer.errors import ConfigurationError

        if self.code in TIMED_OUT:
            raise _too_slow()
        if self.code != 0:
            raise ConfigurationError(f"{where}: {last_line(self.errors)}", fix)
        return self.output


def _too_slow() -> "EngineUnavailable":
    from composer.errors import EngineUnavailable

    return EngineUnavailable(f"docker compose did not answer within {READ_SECONDS:g} s", "try it: docker compose config --quiet")


def last_line(text: str) -> str:
    """Return the last line that says something, without control characters, shortened: what Compose complained about."""
    lines = [re.sub(r"[^\x20-\x7e\u00a0-\uffff]", " ", line).strip() for line in text.splitlines()]
    return next((line for line in reversed(lines) if line and not line.startswith("time=")), "it said nothing")[:500]


def _flags(files: LabPaths) -> list[str]:
    flags = [part for file in files.compose for part in ("--file", file)]
    if files.project_directory:
        flags += ["--project-directory", files.project_directory]
    if files.project_name:
        flags += ["--project-name", files.project_name]
    return flags + [part for file in files.env_files for part in ("--env-file", file)]


def _check_version(text: str) -> None:
    from composer.errors import ConfigurationError

    numbers = re.match(r"v?(\d+)\.(\d+)", text.strip())
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST_COMPOSE:
        found, oldest = text.strip() or "unknown", ".".join(map(str, OLDEST_COMPOSE))
        raise ConfigurationError(f"Docker Compose is {found}; spark-mode needs {oldest} or later", "update docker-compose-plugin")
