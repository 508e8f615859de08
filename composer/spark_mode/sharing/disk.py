"""What a journal needs of a disk: to read a file, to add to one while nobody else does, and to replace one as a whole."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from spark_mode.atomic_file import replace_file, sync_folder
from spark_mode.plain_file import read_plain
from spark_mode.sharing.shared_file import MODE, locked, open_shared

LARGEST = 64 * 1024 * 1024
"""Bytes of a file that are read at most: somebody else's file must not fill the memory."""


class OpenFile(Protocol):
    """A file that nobody else writes meanwhile. Each call raises OSError."""

    def size(self) -> int:
        """Return how many bytes it has."""

    def read(self, count: int, at: int) -> bytes:
        """Return so many bytes from there on."""

    def write(self, text: bytes) -> int:
        """Add bytes at its end; return how many of them were taken, as write(2) does."""

    def cut(self, size: int) -> None:
        """Leave its first bytes alone."""

    def sync(self) -> None:
        """Have what was written on the disk, whatever happens to the machine."""


class Disk(Protocol):
    """Files at paths. Each call raises OSError."""

    def read(self, path: Path) -> bytes:
        """Return all of a file."""

    def opened(self, path: Path) -> AbstractContextManager[OpenFile]:
        """Open a file that is made if need be, and have nobody else write it or replace it meanwhile."""

    def replace(self, path: Path, contents: bytes) -> None:
        """Put a file in place as a whole; it is on the disk when the call returns."""


LOCK_SECONDS = 10.0
"""How long one who writes waits for another, at most: a write takes as long as the disk is slow, but a writer that was stopped
in the middle of it would hold up everybody."""


class RealDisk:
    """The disk of this machine, with files that their group may write; `seconds` is how long one waits for who writes."""

    def __init__(self, seconds: float = LOCK_SECONDS) -> None:
        self._seconds = seconds

    def read(self, path: Path) -> bytes:
        return read_plain(path, follow=False, most=LARGEST)

    @contextmanager
    def opened(self, path: Path) -> Iterator[OpenFile]:
        is_new = not path.exists()
        with locked(path, _open, self._lock) as descriptor:
            if is_new:
                sync_folder(path.parent)
            yield _Descriptor(descriptor)

    def replace(self, path: Path, contents: bytes) -> None:
        replace_file(path, contents, MODE)

    def _lock(self, descriptor: int) -> None:
        deadline = time.monotonic() + self._seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    message = f"another process has been writing it for more than {self._seconds:g} s"
                    raise OSError(errno.EBUSY, message) from None
                time.sleep(0.002)


class _Descriptor:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def read(self, count: int, at: int) -> bytes:
        return os.pread(self._descriptor, count, at)

    def write(self, text: bytes) -> int:
        return os.write(self._descriptor, text)

    def cut(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        os.fsync(self._descriptor)


def _open(path: Path) -> int:
    return open_shared(path, os.O_APPEND)
