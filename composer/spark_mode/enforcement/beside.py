"""Doing something beside the guard's own loop, such as a stop with its grace of minutes."""

from collections.abc import Callable

from spark_mode.engine.threads import started

Beside = Callable[[str, Callable[[], None]], None]
"""Has an act done, under a name; returns at once, or when it is done."""


def in_a_thread(name: str, act: Callable[[], None]) -> None:
    """Do something in a thread that does not keep the process alive: a second signal leaves at once.

    Where there is no place for a thread it is done before this returns.
    """
    if not started(act, name):
        act()
