"""What a guard reads must not be for others to write: rules decide what it stops, and it runs Compose, often as root.

Whoever names a lab to a guard trusts three users: root, the one that the guard runs as, and the owner of the lab, who is the
owner of its first Compose file; in group docker those are as good as root anyhow. Every file that Compose reads for any of its
projects must be theirs, those included, and so must every directory and link on the way to it: who may write one of these
puts another file in its place. Whom the owner lets write through a group is the owner's affair.
"""

import os
import pwd
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from spark_mode.engine.project_cache import inputs_of
from spark_mode.errors import ConfigurationError
from spark_mode.lab.drawn_in import drawn_in
from spark_mode.lab.files import LabFiles
from spark_mode.plain_file import read_plain

LINKS = 40
"""As many links as the kernel follows in one path (path_resolution(7))."""


def require_trusted(files: LabFiles) -> None:
    """Raise ConfigurationError for a lab that somebody else may change, or of which it cannot be told what it is made from."""
    owners = {0, os.geteuid(), *_owner_of(Path(files.compose[0]))}
    for path in (path for one in files.each for path in inputs_of(one)):
        _require(path, owners)
    folders = [Path(one.project_directory or Path(one.compose[0]).parent) for one in files.each]
    left, seen = [Path(path) for path in (*files.all_compose, files.rules)], set[str]()
    while left:
        file = left.pop()
        _require(file, owners)
        if (real := os.path.realpath(file)) in seen:
            continue
        seen.add(real)
        drawn = list(_drawn_in(file, folders))
        folders += [path for path, draws_in in drawn if draws_in and _is(path, stat.S_ISDIR)]  # an include's project_directory
        left += [path for path, draws_in in drawn if draws_in]
        for path, _ in drawn:
            _require(path, owners)


def _drawn_in(file: Path, folders: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield the paths that a file names, relative to each directory that Compose may take, and whether they name more.

    Raises ConfigurationError for a file that is there and cannot be read.
    """
    if not _is(file, stat.S_ISREG):
        return
    try:
        text = read_plain(file).decode(errors="replace")
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}", "the guard must be able to read it") from None
    yield file.parent / ".env", False
    for path, draws_in in drawn_in(text, str(file)):
        for folder in (file.parent, *folders):
            yield folder / os.path.expanduser(path), draws_in  # noqa: PTH111 - Path's raises for a user who is not known


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    """Whether there is something of a kind that can be looked at; what cannot is read by nobody."""
    try:
        return kind(path.stat().st_mode)
    except OSError:
        return False


def _owner_of(path: Path) -> list[int]:
    try:
        return [path.stat().st_uid]
    except OSError:
        return []  # it will be said to be missing


def _require(path: Path, owners: Collection[int]) -> None:
    """Raise ConfigurationError unless a path, with all on the way to it, is these users' alone to change."""
    for one in _way(path):
        try:
            seen = one.lstat()
        except OSError:
            return  # what is not there is read by nobody, and who may put it there was seen
        if seen.st_uid not in owners:
            message = f"{one} belongs to {_name(seen.st_uid)}, who is neither root nor the owner of the lab"
            raise ConfigurationError(f"{message}, so the guard does not use it", f"sudo chown -h root {one}, or copy it")
        by_all = seen.st_mode & stat.S_IWOTH and not stat.S_ISLNK(seen.st_mode)
        if by_all and not (stat.S_ISDIR(seen.st_mode) and seen.st_mode & stat.S_ISVTX):
            raise ConfigurationError(f"{one} may be written by everybody, so the guard does not use it", f"chmod o-w {one}")


def _way(path: Path) -> Iterator[Path]:
    """Yield every directory and link that leads to a path, from the root on, and what is there."""
    at, left, links = Path("/"), list(reversed(path.absolute().parts[1:])), 0
    yield at
    while left:
        part = left.pop()
        if part == "..":
            at = at.parent
            continue
        here = at / part
        yield here
        if not here.is_symlink():
            at = here
            continue
        links += 1
        if links > LINKS:
            return  # nobody can open it
        target = here.readlink()
        at = Path("/") if target.is_absolute() else at
        left += reversed(target.parts[1:] if target.is_absolute() else target.parts)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
