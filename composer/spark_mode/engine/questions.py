"""Questions to Compose: asked without waiting, answered under one deadline, and never longer than there is room for.

Light to import, so that questions start early; what is on the other side may be a wrapper that says anything, for ever.
"""

import errno
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, NamedTuple, TypeVar

from spark_mode.errors import ConfigurationError, EngineUnavailable
from spark_mode.readable import readable

if TYPE_CHECKING:
    import subprocess

Read = TypeVar("Read")

READ_SECONDS = 20.0
ALLOW_MORE = "end some, or allow more: ulimit -u"
TIMED_OUT = (124, 137, -9)  # timeout(1): it ended the command, or itself with it
MOST_BYTES = 16 << 20
"""Of one answer; a project with a thousand services is resolved in two million bytes."""
TRY_IT = "try it: docker compose config --quiet"


def environment(socket: str) -> dict[str, str]:
    """Return the environment of Compose commands: the caller's, because files refer to it, without Compose's settings.

    What a `.env` file may set and a flag does not override is set here to what it shall be.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COMPOSE_") and key != "DOCKER_CONTEXT"}
    return kept | settings(socket)


def settings(socket: str) -> dict[str, str]:
    """Return the settings that every Compose command gets, whatever the caller's environment and `.env` say.

    Without its loaders for them Compose refuses files from git and registries by itself, however deep they are included.
    """
    return {
        "DOCKER_HOST": f"unix://{socket}",
        "COMPOSE_REMOVE_ORPHANS": "false",
        "COMPOSE_IGNORE_ORPHANS": "true",
        "COMPOSE_MENU": "false",
        "COMPOSE_PROFILES": "",
        "COMPOSE_EXPERIMENTAL_GIT_REMOTE": "false",
        "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "false",
    }


class Answer(NamedTuple):
    """What a question came back with."""

    code: int
    output: str
    errors: str

    def text(self, where: str, fix: str) -> str:
        """Return the output. Raises EngineUnavailable for a missed deadline, ConfigurationError for what Compose says."""
        said = self.complaint()
        if said and "remote resource is disabled" in said:
            message = f"{where}: Compose files from elsewhere are not used, and it includes or extends one"
            raise ConfigurationError(message, "copy it here, and read it first")
        if said:
            said = said.removeprefix(f"open {where}: ")
            raise ConfigurationError(said if where in said else f"{where}: {said}", fix)
        return self.output

    def complaint(self) -> str | None:
        """Return what Compose says is wrong, None where nothing is. Raises EngineUnavailable for a missed deadline."""
        if self.code in TIMED_OUT:
            raise _too_slow()
        return last_line(self.errors) if self.code else None


def ask(
    arguments: Sequence[str], socket: str, given: str = "", variables: Mapping[str, str] = MappingProxyType({})
) -> "subprocess.Popen[bytes]":
    """Start `docker compose` with these arguments, this standard input, and more variables in its environment.

    Raises EngineUnavailable where there is no `docker` command.
    """
    import subprocess  # 4 ms, which only a question pays

    deadline = ["timeout", "-k", "1", f"{READ_SECONDS:g}"]  # it ends what Compose started, too, even when we are gone
    try:
        asked = subprocess.Popen(
            [*deadline, "docker", "compose", *arguments],
            stdin=subprocess.PIPE if given else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(socket) | dict(variables),
            start_new_session=True,
        )
    except OSError as error:
        raise no_start("`docker`", error) from None
    if asked.stdin:
        with suppress(OSError), asked.stdin as stdin:  # whoever does not read it says why
            stdin.write(given.encode())
    return asked


def why_not(error: OSError) -> str:
    """Return why a process could not be started, and what helps."""
    return f"no more processes are allowed here; {ALLOW_MORE}" if error.errno == errno.EAGAIN else error.strerror or str(error)


def no_start(what: str, error: OSError) -> EngineUnavailable:
    """Return what to raise where a command of Docker does not start."""
    if error.errno == errno.EAGAIN:
        return EngineUnavailable(f"{what} did not start: no more processes are allowed here", ALLOW_MORE)
    return EngineUnavailable("there is no `docker` command", "install Docker: https://docs.docker.com/engine/install/")


def collect(asked: Mapping[str, "subprocess.Popen[bytes]"]) -> dict[str, Answer]:
    """Wait for the answers, all of them under one deadline, and leave nothing behind that still runs.

    Raises EngineUnavailable when they come too late, ConfigurationError for one that has no end.
    """
    streams = {stream: bytearray() for one in asked.values() for stream in (one.stdout, one.stderr) if stream}
    try:
        _read(streams, time.monotonic() + READ_SECONDS + 2)
        return {name: _answer(one, streams) for name, one in asked.items()}
    finally:
        for one in asked.values():
            end(one)


def understood(said: str, read: Callable[[], Read]) -> Read:
    """Return what `read` makes of an answer of Compose. Raises ConfigurationError, with its first line, when it cannot."""
    try:
        return read()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # of another form than Compose's JSON has
        message = f"what docker compose answers is not understood; it begins: {first_line(said)}"
        raise ConfigurationError(message, f"something stands between Docker and Compose? {TRY_IT}") from None


def hashes_in(said: str) -> dict[str, str]:
    """Return the hash of each service from Compose's lines. Raises ConfigurationError as `understood` does."""
    return understood(said, lambda: dict(line.split() for line in said.splitlines() if line))


def _read(streams: Mapping[IO[bytes], bytearray], deadline: float) -> None:
    import selectors

    with selectors.DefaultSelector() as waiting:
        for stream in streams:
            waiting.register(stream, selectors.EVENT_READ)
        while waiting.get_map():
            ready = waiting.select(max(0.0, deadline - time.monotonic()))
            if not ready or time.monotonic() > deadline:
                raise _too_slow()
            for key, _ in ready:
                stream = next(one for one in streams if one is key.fileobj)
                chunk = os.read(key.fd, 1 << 16)
                streams[stream].extend(chunk)
                if not chunk:
                    waiting.unregister(stream)
                if len(streams[stream]) > MOST_BYTES:
                    raise ConfigurationError(f"docker compose answers more than {MOST_BYTES >> 20} MiB", TRY_IT)


def _answer(one: "subprocess.Popen[bytes]", streams: Mapping[IO[bytes], bytearray]) -> Answer:
    output, errors = (streams[stream].decode(errors="replace") for stream in (one.stdout, one.stderr) if stream)
    return Answer(one.wait(), output, errors)  # `timeout` ends it where it closed its output and goes on


def end(asked: "subprocess.Popen[bytes]") -> None:
    """End a question with everything that it started: the plugin outlives the `docker` that ran it, and holds its output."""
    with suppress(ProcessLookupError, PermissionError):  # it has ended, or `docker` is a wrapper that another user runs
        os.killpg(asked.pid, signal.SIGKILL)
    for stream in (asked.stdout, asked.stderr):
        if stream:
            stream.close()
    asked.wait()


def _too_slow() -> EngineUnavailable:
    return EngineUnavailable(f"docker compose did not answer within {READ_SECONDS:g} s", TRY_IT)


def first_line(text: str) -> str:
    """Return how an answer begins, without control characters, shortened."""
    return last_line(text.lstrip()[:80].partition("\n")[0])


def last_line(text: str) -> str:
    """Return the last line that says something, without control characters, shortened: what Compose complained about."""
    lines = [readable(line).strip() for line in text.splitlines()]
    return next((line for line in reversed(lines) if line and not line.startswith("time=")), "it said nothing")[:500]
