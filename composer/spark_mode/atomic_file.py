"""Writing a file as a whole: whoever reads it, also after a crash, sees what was there before or all of the new one."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path


class NotKeptError(PermissionError):
    """A file's owner or group, which only root could give to the new one. `belongs_to` is the user who owns it."""

    def __init__(self, belongs_to: int) -> None:
        super().__init__(errno.EPERM, "its owner or its group is one that only root could keep")
        self.belongs_to = belongs_to


def replace_file(path: Path, contents: bytes, mode: int, keep: bool = False, over: bool = True) -> None:
    """Put a file in place, on the disk when the call returns. Raises OSError, and then nothing has changed.

    The new one is made beside it under a name that nobody can foresee, never through a link and never over something, and
    has its mode before its first byte, whatever the umask. With `keep` a file that is there keeps its own mode, owner and
    group, or NotKeptError is raised; a link in its place is an error: what it leads to is somebody else's. Without `over`
    anything in its place is one.
    """
    new = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if keep and (former := _former(path)):
                _give(descriptor, former)
                mode = stat.S_IMODE(former.st_mode)
            os.fchmod(descriptor, mode)
            file.write(contents)
            file.flush()
            os.fsync(descriptor)
        if over:
            new.replace(path)
        else:
            path.hardlink_to(new)
    finally:
        with suppress(FileNotFoundError):
            new.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have on the disk which files a folder has. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _give(descriptor: int, former: os.stat_result) -> None:
    try:
        os.fchown(descriptor, former.st_uid, former.st_gid)
    except PermissionError:
        raise NotKeptError(former.st_uid) from None


def _former(path: Path) -> os.stat_result | None:
    try:
        seen = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(seen.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return seen
