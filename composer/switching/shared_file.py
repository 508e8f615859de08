"""Opening the files that all users share: never through a link, writable for the group, and locked as what is there now."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from composer.plain_file import require_plain

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
