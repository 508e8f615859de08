"""One switch at a time on a machine, for all users, engines and projects: kernel locks, which end with whatever holds them.

The main lock is held by a switch from its last look to its end: on the folder of the locks, which nobody removes by
mistake, and on a file in it, which says who holds it. The children lock is held, shared, by every command that a switch
starts, so that one which outlives a killed switch keeps the next switch out.
"""

import fcntl
import json
import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spark_mode.engine.doors import Clock
from spark_mode.errors import ConfigurationError, StepFailed
from spark_mode.plain_file import fault, read_plain
from spark_mode.sharing.children import CHILDREN_SECONDS, await_children, tell_of_children
from spark_mode.sharing.process import is_stopped
from spark_mode.sharing.shared_file import is_at, locked, open_lock, say
from spark_mode.sharing.waiting import QUESTION_SECONDS, Tell, await_lock
from spark_mode.wall_time import now

NAME = "switch.lock"
SILENT_SECONDS = 3.0
"""A holder that has written down no progress for longer counts as held up: the guard acts beside it."""
PROGRESS_SECONDS = 0.25
"""How long a holder waits at least before it writes its progress down again."""


class LockLost(StepFailed):
    """A step is not done, because the lock that was held keeps nobody out any more."""


class Lock:
    """The main lock, held. `is_held` says whether it keeps others out.

    `doing` and `goes_on` say to others what the holder does now, and that it makes progress. `was_killed` says that a former
    holder did not live to let it go, and that nobody has waited since for what it may have asked the engine for: whoever has
    says so (`settled`).
    """

    def __init__(self, descriptor: int, request: str, is_held: Callable[[], bool], clock: Clock) -> None:
        self._descriptor, self._is_held, self._clock = descriptor, is_held, clock
        self.was_killed = bool(_written(descriptor))
        self._said: dict[str, object] = {"request": request, "user": user_name(), "pid": os.getpid(), "since": now()}
        self.doing("looking")

    def doing(self, what: str, waits: bool = False) -> None:
        """Write down what the holder does, and whether it only waits until something has ended."""
        self._said |= {"doing": what, "waits": waits}
        self._write()

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Only wait for something meanwhile, and then go on with what was done before."""
        before = dict(self._said)
        self.doing(what, waits=True)
        try:
            yield
        finally:
            self._said = before
            self._write()

    def goes_on(self) -> None:
        """Show that the holder makes progress; to be called as often as it can."""
        if self._clock.now() - self._written_at >= PROGRESS_SECONDS:
            self._write()

    def _write(self) -> None:
        self._written_at = self._clock.now()  # the kernel's monotonic clock, which is the same for all processes
        say(self._descriptor, json.dumps({**self._said, "progress": self._written_at}).encode())

    def settled(self) -> None:
        """Write down that what a killed holder asked for has come, or will not."""
        self.was_killed = False

    def let_go(self) -> None:
        """Write down that the holder has ended by itself."""
        if not self.was_killed:
            say(self._descriptor, b"")

    def require_held(self) -> None:
        """Raise LockLost when the folder of the locks was removed or replaced: another switch may run by now."""
        if not self._is_held():
            raise LockLost("the folder of the locks is no longer the one that was locked: another switch may run")


@contextmanager
def switch_lock(
    locks: Path,
    request: str,
    wait_seconds: float | None,
    tell: Tell,
    clock: Clock,
    left_behind: Tell | None = None,
) -> Iterator[Lock]:
    """Hold the lock. Waits `wait_seconds` for it, None without end, and for commands left behind at least CHILDREN_SECONDS.

    `tell` is told who holds it, where it is waited for. Who only stops does not wait for commands left behind:
    `left_behind` is told of one instead. Raises LockBusy, naming the holder, when it
    is not free in time.
    """
    deadline = None if wait_seconds is None else clock.now() + max(wait_seconds, QUESTION_SECONDS)
    path = locks / NAME

    def wait(descriptor: int) -> None:
        await_lock(descriptor, deadline, tell, clock, lambda: _holder(_said(path)))

    with locked(path, open_lock, wait) as main, locked(locks, _open_folder, wait) as folder:
        if left_behind:
            tell_of_children(locks, left_behind)
        else:
            await_children(locks, None if deadline is None else max(deadline, clock.now() + CHILDREN_SECONDS), tell, clock)
        lock = Lock(main, request, lambda: is_at(folder, locks), clock)
        try:
            yield lock
        except Exception:  # it has ended by itself: only one that was killed leaves its name
            lock.let_go()
            raise
        lock.let_go()


def is_switching(locks: Path) -> bool:
    """Whether somebody holds the lock now."""
    return who_switches(locks) is not None


def is_acting(locks: Path, clock: Clock) -> bool:
    """Whether somebody holds the lock and goes on: not one that only waits, is stopped, or shows no progress."""
    return is_switching(locks) and not _is_held_up(_said(locks / NAME), clock.now())


def who_switches(locks: Path) -> str | None:
    """Return who holds the lock, and does what; None when nobody does. Raises ConfigurationError."""
    said = holder_says(locks)
    return None if said is None else _holder(said)


def holder_says(locks: Path) -> bytes | None:
    """Return what whoever holds the lock has written of himself; None when nobody holds it. Raises ConfigurationError."""
    path = locks / NAME
    said = lock_holder(path)
    if said is None and lock_holder(locks, os.O_DIRECTORY) is None:
        return None
    return said or _said(path)


def lock_holder(path: Path, flags: int = os.O_NOFOLLOW) -> bytes | None:
    """Return what the holder of a lock wrote into its file; None when nobody holds it.

    The question takes the lock, shared, for a moment. Raises ConfigurationError when it may not be asked.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        message, fix = fault(path, error, "spark-mode must be able to read its lock there")
        raise ConfigurationError(f"{message}; whether a switch runs cannot be seen", fix) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _written(descriptor)
    finally:
        os.close(descriptor)
    return None


def _open_folder(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", "spark-mode must be able to read its locks' folder") from None


def _written(descriptor: int) -> bytes:
    try:
        return os.pread(descriptor, 4096, 0)
    except OSError:
        return b""


def _said(path: Path) -> bytes:
    """Return what a holder wrote, for people: nothing where that cannot be read."""
    try:
        return read_plain(path, follow=False)
    except OSError:
        return b""


def _is_held_up(said: bytes, now: float) -> bool:
    try:
        known = json.loads(said)
        return bool(known["waits"] or now - known["progress"] > SILENT_SECONDS or is_stopped(known["pid"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return False  # it has just taken the lock


def _holder(said: bytes) -> str:
    try:
        known = json.loads(said)
        stopped = f" (it is stopped; to let it go on: kill -CONT {known['pid']})" if is_stopped(known["pid"]) else ""
        return (
            f"another switch is running: {known['request']}, by {known['user']} (process {known['pid']}) "
            f"since {known['since']}, now: {known['doing']}{stopped}"
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return "another switch is running; it has just begun or just ended"


def user_name() -> str:
    """Return who runs this, for people."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
