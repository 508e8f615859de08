"""Whether a guard runs for a lab: a kernel lock that ends with it."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from spark_mode.errors import ConfigurationError, LockBusy
from spark_mode.session.session import Session
from spark_mode.sharing.directories import Directories, directories
from spark_mode.sharing.lock import lock_holder
from spark_mode.sharing.shared_file import locked, open_lock, say, takes


@contextmanager
def the_only_guard(session: Session, tell: Callable[[str], None]) -> Iterator[None]:
    """Be the guard of a lab. Raises LockBusy when there is one.

    Where its lock cannot be opened it is told: better two guards, which both only stop, than none.
    """

    def take(descriptor: int) -> None:
        if not takes(descriptor):
            who = os.pread(descriptor, 32, 0).decode(errors="replace")
            raise LockBusy(f"a guard runs already for this lab (process {who})", "one is enough")

    with ExitStack() as held:
        try:
            say(held.enter_context(locked(_path(session), open_lock, take)), str(os.getpid()).encode())
        except ConfigurationError as error:
            tell(f"{error.message}; the lab is guarded all the same, and whether another guard runs cannot be seen")
        yield


def directories_all_the_same(tell: Callable[[str], None], root: Path = Path("/")) -> Directories:
    """Return where locks and state lie for a guard: where the shared ones should be, though one of them cannot be used.

    Raises ConfigurationError where there are none, and the user's own cannot be used.
    """
    return directories(root, lambda error: tell(f"{error.message}; the lab is guarded all the same; {error.hint}"))


def guard_runs(session: Session) -> bool:
    """Whether a guard runs for a lab now. Raises EngineUnavailable: it belongs to an engine."""
    return lock_holder(_path(session)) is not None


def _path(session: Session) -> Path:
    return session.directories.locks / f"{session.engine_key}.{session.project.name}.guard.lock"
