"""Whether a guard runs for a lab, and of which version: a kernel lock that ends with it."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from spark_mode import __version__
from spark_mode.enforcement.unit import PREFIX, SUFFIX
from spark_mode.errors import ConfigurationError, LockBusy
from spark_mode.session.session import Session
from spark_mode.sharing.directories import Directories, directories
from spark_mode.sharing.lock import lock_holder
from spark_mode.sharing.shared_file import locked, open_lock, say, takes


class RunningGuard(NamedTuple):
    """A guard that runs. `version` is empty for one from before guards said it, `unit` for one that systemd does not run."""

    process: str
    version: str
    unit: str

    @property
    def is_of_another_version(self) -> bool:
        return self.version != __version__


@contextmanager
def the_only_guard(session: Session, tell: Callable[[str], None]) -> Iterator[None]:
    """Be the guard of a lab. Raises LockBusy when there is one.

    Where its lock cannot be opened it is told: better two guards, which both only stop, than none.
    """

    def take(descriptor: int) -> None:
        if not takes(descriptor):
            who = _guard(os.pread(descriptor, 64, 0)).process
            raise LockBusy(f"a guard runs already for this lab (process {who})", "one is enough")

    with ExitStack() as held:
        try:
            say(held.enter_context(locked(_path(session), open_lock, take)), f"{os.getpid()} {__version__}".encode())
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
    return running_guard(session) is not None


def running_guard(session: Session) -> RunningGuard | None:
    """Return the guard that runs for a lab now. Raises EngineUnavailable as `guard_runs`, and ConfigurationError."""
    said = lock_holder(_path(session))
    return None if said is None else _guard(said)


def _guard(said: bytes) -> RunningGuard:
    """Return what a guard wrote into its lock's file: its process and its version."""
    process, _, version = said.decode(errors="replace").partition(" ")
    return RunningGuard(process, version, _unit_of(process))


def _unit_of(process: str) -> str:
    try:
        return unit_in(Path("/proc", str(int(process)), "cgroup").read_text())
    except (OSError, ValueError):
        return ""


def unit_in(groups: str) -> str:
    """Return the unit of a guard that is the last part of a process' control group (cgroups(7)), or nothing."""
    found = (line.rpartition("/")[2] for line in groups.splitlines())
    return next((name for name in found if name.startswith(PREFIX) and name.endswith(SUFFIX)), "")


def _path(session: Session) -> Path:
    return session.directories.locks / f"{session.engine_key}.{session.project.name}.guard.lock"
