"""Waiting for a lock that somebody else holds."""

from collections.abc import Callable

from spark_mode.engine.doors import Clock
from spark_mode.errors import LockBusy
from spark_mode.switching.report import Watcher
from spark_mode.switching.shared_file import takes

QUESTION_SECONDS = 0.05
"""How long a lock is tried at least: `is_switching` takes it for a moment."""


def await_lock(descriptor: int, deadline: float | None, watcher: Watcher, clock: Clock, holder: Callable[[], str]) -> None:
    """Take a lock. Raises LockBusy, naming the holder, at the deadline, in monotonic seconds; None waits without end."""
    told = False
    while not takes(descriptor):
        if deadline is not None and clock.now() >= deadline:
            raise LockBusy(holder(), "wait for it: add --wait, or --wait=SECONDS")
        if not told and (deadline is None or deadline - clock.now() > QUESTION_SECONDS):
            watcher.waiting(holder())
            told = True
        clock.sleep(0.02 if deadline is not None else 0.1)
