"""Reading files from outside without being held up or filled up: a pipe has no end, and neither has /dev/zero."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

LARGEST = 1024 * 1024
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFLNK: "a link",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_plain(path: Path, follow: bool = True, most: int = LARGEST) -> bytes:
    """Return the contents of a regular file. Raises OSError, also for anything else and for one of more bytes than `most`.

    Without `follow` a link in its place is an error, too.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    with os.fdopen(descriptor, "rb") as file:
        require_plain(descriptor)
        contents = file.read(most + 1)
    if len(contents) > most:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return contents


def plain_text(path: Path) -> str | None:
    """Return the text of a regular file, whatever its bytes are, or None where it cannot be read."""
    try:
        return read_plain(path).decode(errors="surrogateescape")
    except OSError:
        return None


def is_file(path: Path) -> bool:
    """Whether a file is there, as far as this user can see: none in a folder that may not be entered, where pathlib raises."""
    return os.path.isfile(path)  # noqa: PTH113 - see above


def is_folder(path: Path) -> bool:
    """Whether a folder is there, as far as this user can see."""
    return os.path.isdir(path)  # noqa: PTH112 - as in is_file


def is_there(path: Path) -> bool:
    """Whether something is there, as far as this user can see."""
    return os.path.exists(path)  # noqa: PTH110 - as in is_file


def require_plain(descriptor: int) -> None:
    """Raise OSError for a descriptor of anything but a regular file."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "not a regular file")


def fault(path: Path, error: OSError, fix: str) -> tuple[str, str]:
    """Return what is wrong with a file of ours, and the way out: `fix`, unless something that is no file lies in its place."""
    kind = None
    with suppress(OSError):
        kind = _KINDS.get(stat.S_IFMT(path.lstat().st_mode))
    if kind is None:
        return f"{path}: {error.strerror}", fix
    import shlex  # only what is wrong pays for it

    return f"{path} is {kind} and no file", f"move it away: {shlex.join(['mv', str(path), f'{path}.old'])}"
