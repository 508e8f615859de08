"""Whether a guard runs for a lab: a kernel lock that ends with it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from composer.errors import ConfigurationError, LockBusy
from composer.switching.lock import held
from composer.switching.session import Session
from composer.switching.shared_file import open_shared


@contextmanager
def the_only_guard(session: Session) -> Iterator[None]:
    """Be the guard of a lab. Raises LockBusy when there is one."""
    path = _path(session)
    try:
        descriptor = open_shared(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", "spark-mode must be able to write its lock there") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.pread(descriptor, 32, 0).decode(errors="replace")
            raise LockBusy(f"a guard runs already for this lab (process {who})", "one is enough") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def guard_runs(session: Session) -> bool:
    """Whether a guard runs for a lab now. Raises EngineUnavailable: it belongs to an engine."""
    return held(_path(session)) is not None


def _path(session: Session) -> Path:
    return session.directories.locks / f"{session.engine_key}.{session.project.name}.guard.lock"
