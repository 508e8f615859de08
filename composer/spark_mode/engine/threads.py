"""Threads where the machine, or the user's limit (`ulimit -u`), may have no place for one more."""

from collections.abc import Callable
from threading import Thread


def started(act: Callable[[], object], name: str | None = None) -> Thread | None:
    """Start a thread that does not keep the process alive, and return it; None where there is no place for one."""
    thread = Thread(target=act, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:  # all that Python says of EAGAIN
        return None
    return thread
