"""Where locks, journal and other state lie. Light, because what was kept there is looked at before anything else."""

import os
from pathlib import Path
from typing import NamedTuple

from composer.errors import ConfigurationError

SHARED_LOCKS = Path("/run/spark-mode")
SHARED_STATE = Path("/var/lib/spark-mode")


class Directories(NamedTuple):
    """Where locks and state lie; `shared` says that they exclude other users too."""

    locks: Path
    state: Path
    shared: bool


def directories() -> Directories:
    """Return the machine's directories where the installation made them, else the user's own."""
    if all(path.is_dir() and os.access(path, os.W_OK) for path in (SHARED_LOCKS, SHARED_STATE)):
        return Directories(SHARED_LOCKS, SHARED_STATE, shared=True)
    own = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "spark-mode"
    try:
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{own}: {error.strerror}", "set XDG_STATE_HOME to a directory that you may write") from None
    return Directories(own, own, shared=False)
