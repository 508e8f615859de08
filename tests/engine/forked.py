"""spark-mode in a process of its own that is forked from one which has imported everything: most of a start is imports.

What starts is the same `main`, with its own environment, folder, streams and signals. What an interpreter does before that is
left to the tests that start one: `Lab.spawn`, the gate, the plugin, the guard, and the installed package.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from ctypes import CDLL, get_errno
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path
from pkgutil import walk_packages
from threading import Lock

import spark_mode
from spark_mode.cli import __main__ as command

_MODULES = [one.name for one in walk_packages(spark_mode.__path__, "spark_mode.") if not one.name.endswith("__main__")]
_SERVER = get_context("forkserver")
_SERVER.set_forkserver_preload([*_MODULES, "python_on_whales", "psutil", "tests.engine.ready"])
NEWNS = 0x00020000  # CLONE_NEWNS
_ALONE = Lock()
"""A start asks of every other process how it ended, which can be asked once: no thread does while another one asks as well."""


def run_forked(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float, mounts: Path | None = None
) -> tuple[int, str, str]:
    """Run spark-mode to its end; return its exit code, its output and its errors. Fails when it has not ended in time.

    `mounts` is a mount namespace that it is to be in.
    """
    with _Heard() as out, _Heard() as errors:
        process = _SERVER.Process(
            target=_become, args=([*arguments], str(folder), {**environment}, out.path, errors.path, mounts)
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


def _become(arguments: list[str], folder: str, environment: dict[str, str], out: str, errors: str, mounts: Path | None) -> None:
    """Be spark-mode, in a process that was just forked. Never returns."""
    if mounts:
        _enter(mounts)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate((os.devnull, out, errors)):
        opened = os.open(path, os.O_RDWR | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = [command.__file__, *arguments]
    command.main()


def _enter(mounts: Path) -> None:
    """Have the mounts of a namespace. (setns(2), which Python knows from 3.12 on)"""
    with mounts.open("rb") as namespace:
        if CDLL(None, use_errno=True).setns(namespace.fileno(), NEWNS):
            raise OSError(get_errno(), "it cannot be entered", str(mounts))
