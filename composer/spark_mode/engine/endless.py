"""Files that Compose would read for ever, such as a pipe that nobody writes to, or /dev/zero: a lab's own, and those of variables
and labels that services name.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from spark_mode.errors import ConfigurationError


class NamedFile(NamedTuple):
    """A file, by the service and the key that name it."""

    service: str
    key: str
    path: str


def named_files(outlined: Mapping[str, Any]) -> Iterator[NamedFile]:
    """Yield the files that services name, as they are outlined."""
    for name, service in outlined.items():
        for key in ("env_file", "label_file"):
            for one in (service or {}).get(key) or ():
                yield NamedFile(name, key, one["path"] if isinstance(one, dict) else one)


def endless_files(outlined: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with a file that has no end, by service, of those that are outlined."""
    kinds = ((one, _endless_kind(one.path)) for one in named_files(outlined))
    return {one.service: f"services.{one.service}.{one.key}: {one.path} is a {kind} and no file" for one, kind in kinds if kind}


def require_ending(files: Iterable[Path]) -> None:
    """Raise ConfigurationError for one of a lab's own files that has no end: each question would wait for it."""
    for file in files:
        if kind := _endless_kind(str(file)):
            raise ConfigurationError(f"{file} is a {kind} and no file", "write what it gives to a file, and name that")


def _endless_kind(path: str) -> str | None:
    """Return what a file is that may have no end; /dev/null has one, and stands for no file in many a project."""
    try:
        seen = Path(path).stat()
    except (OSError, ValueError):
        return None
    if stat.S_ISCHR(seen.st_mode) and seen.st_rdev != Path(os.devnull).stat().st_rdev:
        return "device"
    return "pipe" if stat.S_ISFIFO(seen.st_mode) else None
