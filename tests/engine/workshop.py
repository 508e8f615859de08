"""A container in which PyTorch is imported once: that takes four seconds of a processor, and a trainer often less than one.

What runs there is the trainer's own program in a process that was forked, with its own folder, environment and log.
"""

import itertools
import json
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.engine.lab import DEADLINE, ROOT, docker, until

IMAGE = "audio-lab-torch-cpu:latest"
OFFLINE = ("--network", "none")
PROGRAM = ("--volume", f"{ROOT}/compose/training:/app:ro")
DISKS = ("--tmpfs", "/full:size=4m", "--tmpfs", "/small:size=64k")
"""Disks that are soon full."""


class Running:
    """A process in the workshop; it writes into `log`."""

    def __init__(self, workshop: "Workshop", log: Path, request: Mapping[str, object]) -> None:
        self._workshop, self._log = workshop, log
        self._lines = workshop.asked(request)
        self._number = int(self._lines.readline())

    def kill(self) -> None:
        """kill -9, and wait for its end."""
        self._workshop.asked({"signal": signal.SIGKILL, "number": self._number}).close()
        self.end()

    def stop(self) -> None:
        """Ask it to end."""
        self._workshop.asked({"signal": signal.SIGTERM, "number": self._number}).close()

    def end(self) -> int:
        """Wait until it has ended; return its exit code, negative where a signal ended it."""
        code = int(self._lines.readline())
        self._lines.close()
        return code

    def log(self) -> str:
        return self._log.read_text()


class Workshop:
    """The container, by its name. What it has at /trainers is a folder of this machine."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self._numbers = itertools.count()

    def number(self) -> int:
        """Return a number that nothing in it has yet."""
        return next(self._numbers)

    def start(self, folder: str, code: str | None = None, **environment: str) -> Running:
        """Start the trainer with a folder of the workshop, or a piece of Python in that folder."""
        log = self.folder / f"{self.number()}.log"
        log.touch()
        there = f"/trainers/{folder}"
        what = {} if code is None else {"code": code, "folder": there}
        request = {"environment": {"TRAINING_FOLDER": there} | environment, "log": log.name, **what}
        return Running(self, log, request)

    def asked(self, request: Mapping[str, object]) -> IO[str]:
        """Ask something of it; return where its answer comes."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(DEADLINE)
            connection.connect(str(self.folder / "socket"))
            lines: IO[str] = connection.makefile("rw")  # which keeps it open
        print(json.dumps(request), file=lines, flush=True)
        return lines

    def said(self, folder: str, code: str) -> str:
        """Return what a piece of Python prints, which has PyTorch as `torch`."""
        running = self.start(folder, code)
        assert running.end() == 0, running.log()
        return running.log()


@contextmanager
def workshop(name: str) -> Iterator[Workshop]:
    """Have a workshop, of which nothing is left."""
    with tempfile.TemporaryDirectory(prefix="spark-mode-test-") as folder:
        options = [*OFFLINE, *PROGRAM, *DISKS, "--init", "--env", "OMP_NUM_THREADS=1", "--volume", f"{folder}:/trainers"]
        program = f"{Path(__file__).with_name('workshop_program.py')}:/workshop.py:ro"
        try:
            docker("run", "--detach", "--name", name, *options, "--volume", program, IMAGE, "-W", "ignore", "/workshop.py")
            until((Path(folder) / "socket").exists)
            yield Workshop(name, Path(folder))
        finally:
            subprocess.run(["docker", "rm", "--force", name], check=True, capture_output=True, timeout=DEADLINE)
