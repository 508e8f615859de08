"""Doing something beside the guard's own loop, such as a stop with its grace of minutes."""

from collections.abc import Callable
from threading import Thread

Beside = Callable[[str, Callable[[], None]], None]
"""Has an act done, under a name; returns at once, or when it is done."""


def in_a_thread(name: str, act: Callable[[], None]) -> None:
    """Do something in a thread that does not keep the process alive: a second signal leaves at once."""
    Thread(target=act, name=name, daemon=True).start()
