"""Waiting for a lock that somebody else holds."""

from collections.abc import Callable

from spark_mode.engine.doors import Clock
from spark_mode.errors import LockBusy
from spark_mode.sharing.shared_file import takes

Tell = Callable[[str], None]
"""Says something to whoever waits."""
QUESTION_SECONDS = 0.05
"""How long a lock is tried at least: `is_switching` takes it for a moment."""


def await_lock(descriptor: int, deadline: float | None, tell: Tell, clock: Clock, holder: Callable[[], str]) -> None:
    """Take a lock. Raises LockBusy, naming the holder, at the deadline, in monotonic seconds; None waits without end.

    `tell` is told of the holder when there is some time to wait.
    """
    told = False
    while not takes(descriptor):
        if deadline is not None and clock.now() >= deadline:
            raise LockBusy(holder(), "wait for it: add --wait, or --wait=SECONDS")
        if not told and (deadline is None or deadline - clock.now() > QUESTION_SECONDS):
            tell(holder())
            told = True
        clock.sleep(0.02 if deadline is not None else 0.1)
