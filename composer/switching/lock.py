"""One switch at a time, for all users of an engine: kernel locks that end with the process, whatever ends it.

Two files. The main lock is held by a switch from its last look to its end. The children lock is held, shared, by
every command that a switch starts, so that one which outlives a killed switch keeps the next switch out.
"""

import fcntl
import json
import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from composer.engine.doors import Clock
from composer.errors import ConfigurationError, LockBusy
from composer.switching.report import Watcher
from composer.switching.shared_file import open_shared

QUESTION_SECONDS = 0.05
"""How long a lock is tried at least: `is_switching` takes it for a moment."""
CHILDREN_SECONDS = 2.0
"""How long a switch waits, at least, for the end of commands that an earlier one left behind."""


class Lock:
    """The main lock, held. `doing` says to others what the holder does now."""

    def __init__(self, descriptor: int, request: str) -> None:
        self._descriptor = descriptor
        self._holder = {"request": request, "user": user_name(), "pid": os.getpid(), "since": _now()}
        self.doing("looking")

    def doing(self, what: str) -> None:
        """Write down what the holder does, for those who wait."""
        text = json.dumps({**self._holder, "doing": what}).encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))


@contextmanager
def switch_lock(
    locks: Path, engine: str, request: str, wait_seconds: float | None, watcher: Watcher, clock: Clock
) -> Iterator[Lock]:
    """Hold the lock of an engine. Waits `wait_seconds` for it, None without end.

    Raises LockBusy, naming the holder, when it is not free in time.
    """
    deadline = None if wait_seconds is None else clock.now() + max(wait_seconds, QUESTION_SECONDS)
    main = _open(locks / f"{engine}.lock")
    try:
        _await(main, deadline, watcher, clock, lambda: _holder(_written(main)))
        _await_children(locks, engine, deadline, watcher, clock)
        yield Lock(main, request)
    finally:
        os.close(main)


def _await_children(locks: Path, engine: str, deadline: float | None, watcher: Watcher, clock: Clock) -> None:
    """See that no command of an earlier switch runs any more, before the first of this one starts."""
    children = _open(children_lock(locks, engine))
    try:
        latest = None if deadline is None else max(deadline, clock.now() + CHILDREN_SECONDS)
        _await(children, latest, watcher, clock, lambda: "a command that a killed switch left behind still runs")
    finally:
        os.close(children)


def is_switching(locks: Path, engine: str) -> bool:
    """Whether somebody holds the lock of an engine now."""
    return who_switches(locks, engine) is not None


def who_switches(locks: Path, engine: str) -> str | None:
    """Return who holds the lock of an engine, and does what; None when nobody does."""
    said = held(locks / f"{engine}.lock")
    return None if said is None else _holder(said)


def held(path: Path) -> bytes | None:
    """Return what the holder of a lock wrote into its file; None when nobody holds it.

    The question takes the lock, shared, for a moment.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _written(descriptor)
    finally:
        os.close(descriptor)
    return None


def children_lock(locks: Path, engine: str) -> Path:
    """Return the lock file that every command of a switch holds while it runs."""
    return locks / f"{engine}.children.lock"


def _open(path: Path) -> int:
    try:
        return open_shared(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", "spark-mode must be able to write its lock there") from None


def _await(descriptor: int, deadline: float | None, watcher: Watcher, clock: Clock, holder: Callable[[], str]) -> None:
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if deadline is not None and clock.now() >= deadline:
                raise LockBusy(holder(), "wait for it: add --wait, or --wait=SECONDS") from None
            if not told and (deadline is None or deadline - clock.now() > QUESTION_SECONDS):
                watcher.waiting(holder())
                told = True
            clock.sleep(0.02 if deadline is not None else 0.1)
        else:
            return


def _written(descriptor: int) -> bytes:
    try:
        return os.pread(descriptor, 4096, 0)
    except OSError:
        return b""


def _holder(said: bytes) -> str:
    try:
        known = json.loads(said)
        return (
            f"another switch is running: {known['request']}, by {known['user']} (process {known['pid']}) "
            f"since {known['since']}, now: {known['doing']}"
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return "another switch is running; it has just begun or just ended"


def user_name() -> str:
    """Return who runs this, for people."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
