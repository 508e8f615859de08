"""Whether a guard runs for a lab: a kernel lock that ends with it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from composer.errors import LockBusy
from composer.switching.lock import held
from composer.switching.session import Session
from composer.switching.shared_file import locked, open_lock, say, takes


@contextmanager
def the_only_guard(session: Session) -> Iterator[None]:
    """Be the guard of a lab. Raises LockBusy when there is one, ConfigurationError where its lock cannot be opened."""

    def take(descriptor: int) -> None:
        if not takes(descriptor):
            who = os.pread(descriptor, 32, 0).decode(errors="replace")
            raise LockBusy(f"a guard runs already for this lab (process {who})", "one is enough")

    with locked(_path(session), open_lock, take) as descriptor:
        say(descriptor, str(os.getpid()).encode())
        yield


def guard_runs(session: Session) -> bool:
    """Whether a guard runs for a lab now. Raises EngineUnavailable: it belongs to an engine."""
    return held(_path(session)) is not None


def _path(session: Session) -> Path:
    return session.directories.locks / f"{session.engine_key}.{session.project.name}.guard.lock"
