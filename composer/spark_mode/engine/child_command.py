"""A command of the user as a child in the foreground: its own process group, the terminal, and the signals that come."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from types import FrameType

from spark_mode.engine.questions import why_not
from spark_mode.errors import StepFailed

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_WAITING = str(Path(__file__).with_name("waiting.py"))


class ChildCommand:
    """A command, in a folder. Its process is there before it may run, and waits: it ends by itself when this process does."""

    def __init__(self, words: Sequence[str], folder: str | None = None) -> None:
        self._words, self._folder = tuple(words), folder
        self._child: Popen[bytes] | None = None
        self._pipe: int | None = None

    @property
    def group(self) -> int:
        """The number of its group, and of the process that leads it; 0 before it was made."""
        return self._child.pid if self._child else 0

    def make(self) -> int:
        """Have its process there; return its number, which is that of its group. Raises StepFailed."""
        theirs, self._pipe = os.pipe()
        python = (sys.executable, "-I", "-S", _WAITING, str(theirs))
        try:
            self._child = Popen([*python, *self._words], process_group=0, pass_fds=(theirs,), cwd=self._folder)
        except OSError as error:
            self.drop()
            raise StepFailed(f"{self._words[0]} did not start: {why_not(error)}") from None
        finally:
            os.close(theirs)
        return self._child.pid

    def drop(self) -> None:
        """Have it never run. Does nothing once it runs, or was never made."""
        if self._pipe is None:
            return
        self._say(b"")
        if self._child:
            self._child.wait()

    def run(self) -> int:
        """Let it run, and return its exit code, 128+n after a signal."""
        child = self._child
        if child is None:
            raise StepFailed(f"{self._words[0]} has no process")
        with passing_on(child.pid), _terminal(child.pid) as terminal:
            self._say(b"run")
            while True:
                pid, status = os.waitpid(-1, os.WUNTRACED)  # what was adopted as well: nobody else buries it
                if pid != child.pid:
                    continue
                if not os.WIFSTOPPED(status):
                    break
                if terminal is not None:
                    _stop_too(terminal, child.pid)
        child.returncode = os.waitstatus_to_exitcode(status)
        return child.returncode if child.returncode >= 0 else 128 - child.returncode

    def _say(self, word: bytes) -> None:
        """Say the word that it waits for; none is the end of it."""
        if self._pipe is not None:
            pipe, self._pipe = self._pipe, None
            with suppress(BrokenPipeError):  # somebody has ended it meanwhile
                os.write(pipe, word)
            os.close(pipe)


def _send(group: int, number: int) -> None:
    """Send a signal to a process group; one of another user, as under `sudo`, is not ours to signal, which is said."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return
    except PermissionError:
        name = signal.Signals(number).name
        how = f"sudo kill -{name.removeprefix('SIG')} -- -{group}"
        with suppress(OSError):  # a terminal that has gone
            os.write(2, f"spark-mode: the command is another user's, so {name} does not reach it: {how}\n".encode())


@contextmanager
def passing_on(group: int) -> Iterator[None]:
    """Pass signals on to a process group meanwhile; those that are ignored, as under `nohup`, stay ignored."""

    def pass_on(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the interface of signal.signal
        _send(group, number)

    heard = [number for number in PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN]
    former = {number: signal.signal(number, pass_on) for number in heard}
    try:
        yield
    finally:
        for number, how in former.items():
            signal.signal(number, how)


@contextmanager
def _terminal(group: int) -> Iterator[int | None]:
    """Give the terminal to a process group, and take it back; None without one."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    former = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # or taking it back would stop us
    _give(terminal, group)
    try:
        yield terminal
    finally:
        _take(terminal, group)
        os.close(terminal)
        signal.signal(signal.SIGTTOU, former)


def _stop_too(terminal: int, group: int) -> None:
    """Stop, as the command has at a Ctrl-Z, so that the shell goes on; once continued, continue it."""
    _take(terminal, group)
    os.killpg(0, signal.SIGTSTP)
    _give(terminal, group)
    _send(group, signal.SIGCONT)


def _take(terminal: int, group: int) -> None:
    """Take the terminal back from a process group, where that one has it."""
    with suppress(OSError):  # a terminal that has gone
        if os.tcgetpgrp(terminal) == group:
            os.tcsetpgrp(terminal, os.getpgrp())


def _give(terminal: int, group: int) -> None:
    """Give the terminal to a process group, where it is ours to give: not from the background."""
    with suppress(OSError):
        if os.tcgetpgrp(terminal) == os.getpgrp():
            os.tcsetpgrp(terminal, group)
