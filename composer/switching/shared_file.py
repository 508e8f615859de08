"""Opening the files that all users of an engine share: never through a link, and writable for the group."""

import os
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
