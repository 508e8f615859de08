"""The files that all users share: opened never through a link, writable for the group, and locked as what is there now."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spark_mode.errors import ConfigurationError
from spark_mode.plain_file import fault, require_plain

MODE = 0o660


def open_shared(path: Path, flags: int = 0) -> int:
    """Open a file for reading and writing, made if need be. Raises OSError.

    The mode is set whatever the caller's umask is: the next user of the group must be able to write it too.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | flags, MODE)
    try:
        require_plain(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    seen = os.fstat(descriptor)
    if seen.st_uid == os.geteuid() and seen.st_mode & 0o777 != MODE:
        os.fchmod(descriptor, MODE)
    return descriptor


def open_lock(path: Path) -> int:
    """Open the file of a lock as `open_shared` does. Raises ConfigurationError."""
    try:
        return open_shared(path)
    except OSError as error:
        raise ConfigurationError(*fault(path, error, "spark-mode must be able to write its lock there")) from None


def takes(descriptor: int) -> bool:
    """Take a lock if it is free, and return whether it was."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def takes_in_turn(descriptor: int) -> None:
    """Take a lock that nobody holds for longer than it takes to write a line."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def say(descriptor: int, text: bytes) -> None:
    """Have the file of a lock say who holds it, as far as the disk has room: a full one keeps nobody from the lock."""
    with suppress(OSError):
        os.pwrite(descriptor, text, 0)
        os.ftruncate(descriptor, len(text))


@contextmanager
def locked(path: Path, opened: Callable[[Path], int], wait: Callable[[int], None]) -> Iterator[int]:
    """Hold a lock, which `wait` takes, on what `opened` opens at a path. Raises OSError, and what those two raise.

    It is certainly what is at the path then: a file that was removed or replaced while its lock was waited for locks
    nobody out, so what is there instead is locked.
    """
    while True:
        descriptor = opened(path)
        try:
            wait(descriptor)
            if is_at(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether what was opened is still what is at a path. Raises OSError."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
