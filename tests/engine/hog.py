"""Somebody else who holds memory of the machine: a process, or a file in shared memory."""

import os
import subprocess
import sys
from pathlib import Path

CODE = """
import mmap
import sys
taken = mmap.mmap(-1, int(sys.argv[1]), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)
print("held", flush=True)
sys.stdin.read()
"""
SHARED = Path("/dev/shm/spark-mode-test")  # noqa: S108 - it shall be memory, not a disk


class Hog:
    """A process that holds so many bytes until it is left."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Hog":
        self.grab()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def grab(self) -> None:
        """Take the memory."""
        command = [sys.executable, "-c", CODE, str(self._size)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        assert self._process.stdout.readline() == "held\n"

    def leave(self) -> None:
        """Give the memory back."""
        if self._process:
            self._process.communicate()
            self._process = None


def fill_shared_memory(size: int) -> None:
    """Hold memory that belongs to no process, as a crashed server may leave it."""
    with SHARED.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def clear_shared_memory() -> None:
    """Give it back."""
    SHARED.unlink(missing_ok=True)
