"""The door to another machine: one command there, over the user's own ssh, with its configuration, keys and connections.

No password is ever asked for. Whether a command that was cut off was carried out there is not known here.
"""

import os
import shlex
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO, NamedTuple, Protocol

from spark_mode.errors import ConfigurationError
from spark_mode.fleet.nodes import Node

OPTIONS = (
    *("-o", "BatchMode=yes"),
    *("-o", "ConnectTimeout=10"),
    *("-o", "ServerAliveInterval=5"),
    *("-o", "ServerAliveCountMax=3"),
)
"""What a machine that is off, or hangs, is given: 10 seconds to connect, and 15 of silence."""
LOST, ABSENT = 255, 127
"""What ssh exits with where the connection failed, and a shell where there is no such program."""
LARGEST, LAST_ERRORS = 1 << 24, 1 << 16
"""How many characters of an answer are kept, and how many bytes of the errors: the last ones."""
Told = Callable[[str], None]


class Answer(NamedTuple):
    """What a machine answered: the exit code, None where the connection was lost; what it printed, and wrote as errors."""

    code: int | None
    out: str = ""
    errors: str = ""


class Door(Protocol):
    """Asks machines."""

    def ask(self, node: Node, words: Sequence[str], seconds: float | None = None, told: Told | None = None) -> Answer:
        """Have spark-mode called there with these words, and wait so many seconds at most for its end, or without end.

        `told` is given each line of its output as it comes. Raises ConfigurationError where there is no ssh.
        """


class Ssh:
    """Asks over ssh. Ctrl-C is this process's alone: what was begun there goes on.

    `variables` are set there for the program.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._env = shlex.join(("env", *(f"{name}={value}" for name, value in variables.items()))) + " " if variables else ""
        self._open: set[subprocess.Popen[str]] = set()
        self._left = False

    def ask(self, node: Node, words: Sequence[str], seconds: float | None = None, told: Told | None = None) -> Answer:
        """Have spark-mode called there; see `Door`."""
        if self._left:  # somebody who waits for an answer would ask again
            return Answer(None)
        line = f"{self._env}{node.command} {shlex.join(words)}"  # a ~ at its beginning is for the shell there
        late = threading.Event()
        with _Errors() as errors:
            ssh = _begun(["ssh", *OPTIONS, "--", node.address, line], errors.pipe)
            self._open.add(ssh)
            timer = threading.Timer(seconds or 0.0, _end, (ssh, late))
            timer.daemon = True
            if seconds is not None:
                timer.start()
            with ssh:
                out = _read(ssh.stdout, told)
                ssh.wait()
            timer.cancel()
            self._open.discard(ssh)
            said = errors.said()
        if late.is_set():
            return Answer(None, out, f"no answer within {seconds:g} s")
        return Answer(None if ssh.returncode == LOST or ssh.returncode < 0 else ssh.returncode, out, said)

    def leave(self) -> None:
        """Cut all connections, for good: what was begun goes on."""
        self._left = True
        for one in tuple(self._open):
            one.kill()


class _Errors:
    """The end of what a connection writes as errors, to a `pipe`.

    A connection that is kept for later holds that open: no end of it is waited for, but a mark that is written there at last.
    """

    def __enter__(self) -> "_Errors":
        self._theirs, self.pipe = os.pipe()
        self._mark, self._kept = os.urandom(16), b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.said()
        os.close(self.pipe)
        os.close(self._theirs)

    def said(self) -> str:
        """Return what was written by now."""
        if self._reader.is_alive():
            os.write(self.pipe, self._mark)
            self._reader.join()
        return self._kept.partition(self._mark)[0].decode(errors="replace").strip()

    def _read(self) -> None:
        while self._mark not in self._kept:
            self._kept = (self._kept + os.read(self._theirs, LAST_ERRORS))[-LAST_ERRORS:]


def _begun(command: list[str], errors: int) -> "subprocess.Popen[str]":
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError:
        raise ConfigurationError("there is no ssh here", "install it: the package openssh-client") from None
    except OSError as error:  # such as a command that is too long for one
        raise ConfigurationError(f"ssh: {error.strerror}", "see whether ssh runs at all, and ask for less at once") from None


def _end(ssh: "subprocess.Popen[str]", late: threading.Event) -> None:
    late.set()
    ssh.kill()


def _read(stream: IO[str] | None, told: Told | None) -> str:
    """Return what comes, as much as is bounded, and tell of each line of it."""
    found, size = list[str](), 0
    for line in iter(lambda: stream.readline(LARGEST), "") if stream else ():  # one that does not end is no line
        size += len(line)
        if size <= LARGEST:
            found.append(line)
            if told:
                told(line)
    return "".join(found)
