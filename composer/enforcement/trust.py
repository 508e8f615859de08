"""What a daemon reads must not be for everybody to write: rules decide what it stops, Compose files may hold commands."""

import stat
from collections.abc import Iterable
from pathlib import Path

from composer.errors import ConfigurationError


def require_trusted(files: Iterable[Path]) -> None:
    """Raise ConfigurationError for a file that others than its owner and group may write, or replace in its folder."""
    for file in files:
        for path in (file, file.parent):
            try:
                seen = path.stat()
            except OSError:
                continue  # what is not there is read by nobody
            replaceable = stat.S_ISDIR(seen.st_mode) and seen.st_mode & stat.S_ISVTX
            if seen.st_mode & stat.S_IWOTH and not replaceable:
                raise ConfigurationError(f"{path} may be written by everybody, so the guard does not use it", f"chmod o-w {path}")
