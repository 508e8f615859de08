"""spark-mode in a process of its own that is forked from one which has imported everything: most of a start is imports.

What starts is the same `main`, with its own environment, folder, streams and signals. What an interpreter does before that is
left to the tests that start one: the gate, the plugin, the guard's unit and size, the nodes of `make test-deep`, and the
installed package.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ctypes import CDLL, get_errno
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from pkgutil import walk_packages
from threading import Lock, Thread

import spark_mode
from spark_mode.cli import __main__ as command

_MODULES = [one.name for one in walk_packages(spark_mode.__path__, "spark_mode.") if not one.name.endswith("__main__")]
_SERVER = get_context("forkserver")
_SERVER.set_forkserver_preload([*_MODULES, "python_on_whales", "psutil", "tests.engine.ready"])
_ALONE = Lock()
"""A start asks of every other process how it ended, which can be asked once: no thread does while another one asks as well."""


def run_forked(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float, namespace: Path | None = None
) -> tuple[int, str, str]:
    """Run spark-mode to its end; return its exit code, its output and its errors. Fails when it has not ended in time.

    `namespace` is one that it is to be in: that of other mounts, or of another network.
    """
    with _Heard() as out, _Heard() as errors:
        process = _SERVER.Process(
            target=_become, args=([*arguments], str(folder), {**environment}, out.path, errors.path, namespace)
        )
        with _ALONE:
            process.start()
        if not wait([process.sentinel], seconds):
            process.kill()
            raise AssertionError(f"{arguments} did not end within {seconds:g} s")
        with _ALONE:
            process.join()
        assert process.exitcode is not None
        return process.exitcode, out.text(), errors.text()


def in_a_fork(act: Callable[..., None], *of: object) -> None:
    """Do something in a process of its own that has imported everything, and wait for that; it must end well."""
    process = _SERVER.Process(target=act, args=of)
    with _ALONE:
        process.start()
        process.join()
    assert process.exitcode == 0


@contextmanager
def beside(act: Callable[..., object], *of: object) -> Iterator[None]:
    """Have something done in such a process for as long as that takes, or until nobody needs it."""
    process = _SERVER.Process(target=act, args=of, daemon=True)
    with _ALONE:
        process.start()
    try:
        yield
    finally:
        with _ALONE:
            process.kill()
            process.join()


class Forked(subprocess.Popen[str]):
    """spark-mode that was forked and goes on, to be used as any process that was started; what it writes is kept together.

    `terminal` is where it writes to, where that is one.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        namespace: Path | None = None,
        terminal: str | None = None,
    ) -> None:
        ours, theirs = Pipe(duplex=False)
        what = [*arguments], str(folder), {**environment}, terminal or theirs, terminal or theirs, namespace
        self._process: ForkServerProcess = _SERVER.Process(target=_become, args=what, daemon=True)
        with _ALONE, theirs:
            self._process.start()
        assert self._process.pid
        self.pid, self.args = self._process.pid, [*arguments]
        self.stdin = self.stderr = None
        self.stdout = os.fdopen(os.dup(ours.fileno()), encoding="utf-8")
        self.returncode: int | None = None
        ours.close()

    def poll(self) -> int | None:
        with _ALONE:
            if self.returncode is None:
                self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if not wait([self._process.sentinel], timeout) and timeout is not None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[str, str]:
        assert input is None
        assert self.stdout
        said: list[str] = []
        reader = Thread(target=lambda out: said.append(out.read()), args=(self.stdout,), daemon=True)
        reader.start()
        reader.join(timeout)
        if reader.is_alive():
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.stdout.close()
        self.wait(timeout)
        return "".join(said), ""


class _Heard:
    """A file in memory, which another process opens by its path."""

    def __enter__(self) -> "_Heard":
        self._file = os.fdopen(os.memfd_create("heard"), "rb")
        self.path = f"/proc/{os.getpid()}/fd/{self._file.fileno()}"
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def text(self) -> str:
        return self._file.read().decode()


def _become(
    arguments: list[str],
    folder: str,
    environment: dict[str, str],
    out: str | Connection,
    errors: str | Connection,
    namespace: Path | None,
) -> None:
    """Be spark-mode, in a process that was just forked. Never returns."""
    if namespace:
        enter(namespace)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    for number, what in enumerate((os.devnull, out, errors)):
        opened = os.open(what, os.O_RDWR | os.O_APPEND) if isinstance(what, str) else os.dup(what.fileno())
        os.dup2(opened, number)
        os.close(opened)
    for what in {out, errors}:
        if not isinstance(what, str):
            what.close()
    sys.argv = [command.__file__, *arguments]
    command.main()


def enter(*namespaces: Path) -> None:
    """Enter namespaces, all of which are found before the first one is entered. (setns(2), which Python knows from 3.12 on)"""
    setns = CDLL(None, use_errno=True).setns
    opened = [os.open(one, os.O_RDONLY) for one in namespaces]
    for one, namespace in zip(opened, namespaces, strict=True):
        if setns(one, 0):
            raise OSError(get_errno(), "it cannot be entered", str(namespace))
        os.close(one)
