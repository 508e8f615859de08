"""Where locks, journal and other state lie. Light, because what was kept there is looked at before anything else.

Of the two directories that all users share there are both or none: with one of them gone a private lock would keep nobody
out, and a private journal would know nothing of a switch that was cut off, of holds, or of what containers are owed.
"""

import grp
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from spark_mode.errors import ConfigurationError

SHARED_LOCKS = Path("run/spark-mode")
SHARED_STATE = Path("var/lib/spark-mode")
"""Both below the root of the file system."""
STATE_OF_A_USER = Path(".local/state")
SET_UP = "sudo spark-mode setup --shared"
Forgive = Callable[[ConfigurationError], None]
"""Is given an error, and raises it where it is one for whoever asked."""


class Directories(NamedTuple):
    """Where locks and state lie; `shared` says that they exclude other users too."""

    locks: Path
    state: Path
    shared: bool


def directories(root: Path = Path("/"), forgive: Forgive | None = None, own_too: bool = False) -> Directories:
    """Return the machine's directories where they were set up, else the user's own, which is made if need be.

    Raises ConfigurationError where only one of the shared ones is there, or this user may not write them, and where the
    user's own would be another one for each directory or for each command. `forgive` is given such an error of the shared
    ones instead, and with `own_too` of the user's own: where it does not raise it, what is returned is where all should lie.
    """
    locks, state = shared_directories(root)
    there = [path for path in (locks, state) if os.path.lexists(path)]
    try:
        return _shared(locks, state, there) if there else _own()
    except ConfigurationError as error:
        if forgive is None or not (there or own_too):
            raise
        forgive(error)
        return Directories(locks, state, shared=True)


def _shared(locks: Path, state: Path, there: list[Path]) -> Directories:
    if len(there) == 1:
        missing = state if there == [locks] else locks
        message = f"{missing} is missing, and {there[0]} is there: users would no longer exclude each other"
        raise ConfigurationError(message, f"{SET_UP}, or: sudo systemd-tmpfiles --create spark-mode.conf")
    for path in there:
        _require_writable(path)
    return Directories(locks, state, shared=True)


def _own() -> Directories:
    own = own_directory()
    _make(own)
    return Directories(own, own, shared=False)


def shared_directories(root: Path = Path("/")) -> tuple[Path, Path]:
    """Return where the locks and the state of all users lie, whether they are there or not."""
    return root / SHARED_LOCKS, root / SHARED_STATE


def own_directory() -> Path:
    """Return the user's own directory, by the XDG Base Directory Specification. Raises ConfigurationError as `directories`."""
    set_to = os.environ.get("XDG_STATE_HOME")
    if not set_to and os.geteuid() == 0 and os.environ.get("SUDO_UID", "0") != "0":
        message = "by sudo the lock and the journal would be root's, which your own switches do not look at"
        raise ConfigurationError(message, f"have one for all, once: {SET_UP}")
    try:
        folder = Path(set_to) if set_to else Path.home() / STATE_OF_A_USER
    except RuntimeError:
        raise ConfigurationError("this user has no home directory", "set XDG_STATE_HOME to a directory of its own") from None
    if not folder.is_absolute():
        variable = "XDG_STATE_HOME" if set_to else "HOME"
        message = f"{variable} is relative, so that each directory would have a lock and a journal of its own"
        raise ConfigurationError(message, f"give {variable} an absolute path")
    return folder / "spark-mode"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise ConfigurationError(f"{folder} is not a directory", f"move it away: mv {folder} {folder}.old") from None
    except OSError as error:
        raise ConfigurationError(f"{folder}: {error.strerror}", "set XDG_STATE_HOME to a directory that you may write") from None


def _require_writable(path: Path) -> None:
    """Raise ConfigurationError for what this user may not write. A disk that nobody may write is for a switch to judge."""
    if not path.is_dir() or path.is_symlink():
        raise ConfigurationError(f"{path} is not a directory", f"move it away, then: {SET_UP}")
    if not os.access(path, os.W_OK | os.X_OK) and not os.statvfs(path).f_flag & os.ST_RDONLY:
        raise ConfigurationError(
            f"you may not write {path}, which all users of this machine share",
            f"join its group, then log in again: sudo usermod -aG {_group_of(path)} $USER",
        )


def _group_of(path: Path) -> str:
    try:
        return grp.getgrgid(path.stat().st_gid).gr_name
    except KeyError:
        return "docker"
