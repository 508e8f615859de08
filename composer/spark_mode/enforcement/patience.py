"""Waiting until a lab can be opened: a boot may have neither Docker nor the lab's folder yet, and a file may be half edited."""

import time
from collections.abc import Callable
from typing import TypeVar

from spark_mode.enforcement.notify import notify
from spark_mode.errors import ConfigurationError, EngineUnavailable

Opened = TypeVar("Opened")
AGAIN_SECONDS = 2.0
"""How soon it is tried again; each time Compose is asked."""


def once_ready(open_: Callable[[], Opened], say: Callable[[str], None], sleep: Callable[[float], None] = time.sleep) -> Opened:
    """Return what is opened, as soon as it can be. What is in the way is said once, and systemd is told that this waits.

    Raises what is neither a file that cannot be used nor an engine that is away.
    """
    said = ""
    while True:
        try:
            return open_()
        except (ConfigurationError, EngineUnavailable) as error:
            if error.message != said:
                said = error.message
                say(f"waiting: {said}; {error.hint or 'it is tried again'}")
                notify(f"READY=1\nSTATUS=waiting: {' '.join(said.split())}")
        notify("WATCHDOG=1")
        sleep(AGAIN_SECONDS)
