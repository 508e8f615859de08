"""Files that spark-mode puts where others look for them: in place at once, and never over what is somebody else's."""

import os
import shlex
from pathlib import Path

from spark_mode.atomic_file import NotKeptError, replace_file
from spark_mode.errors import ConfigurationError
from spark_mode.plain_file import read_plain


def require_ours(path: Path, mark: str) -> None:
    """Raise ConfigurationError when something lies there that does not bear our mark; nothing is fine, too."""
    if not path.is_symlink() and not path.exists():
        return
    try:
        ours = mark in read_plain(path, follow=False).decode(errors="replace")
    except OSError:
        ours = False
    if not ours:
        raise ConfigurationError(f"{path} is not from spark-mode, and stays as it is", "move it away first")


def put(path: Path, text: str, mode: int, fix: str) -> None:
    """Put a file in place; one that is there keeps its mode, owner and group. Raises ConfigurationError, mostly with this fix."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode(), mode, keep=True)
    except NotKeptError as error:
        own = 'chgrp "$(id -g)"' if error.belongs_to == os.geteuid() else 'sudo chown "$(id -u):$(id -g)"'
        raise ConfigurationError(f"{path}: {error.strerror}", f"make it your own: {own} {shlex.quote(str(path))}") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", fix) from None


def remove(path: Path, mark: str, fix: str) -> bool:
    """Take a file of ours away; return whether it was there. Raises ConfigurationError as the others do."""
    require_ours(path, mark)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", fix) from None
    return True
