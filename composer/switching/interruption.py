"""Ctrl-C, SIGTERM and SIGHUP during a switch: the first one asks it to go back, the second leaves at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from composer.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class LeftAtOnce(BaseException):
    """A second signal came: nothing more is done, and whatever runs is left running."""


class Interruption:
    """Remembers the first signal until somebody can act on it."""

    def __init__(self) -> None:
        self.requested = False
        self._ignored = False

    def check(self) -> None:
        """Raise Interrupted once a signal has come; not during a rollback, which is what it asks for."""
        if self.requested and not self._ignored:
            raise Interrupted("interrupted")

    def going_back(self) -> None:
        """From now on the first signal is answered; only a second one counts."""
        self._ignored = True

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals over while a switch runs; those that are ignored, as under `nohup`, stay ignored."""
        heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        former = {number: signal.signal(number, self._on_signal) for number in heard}
        try:
            yield
        finally:
            for number, how in former.items():
                signal.signal(number, how)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the interface of signal.signal
        if self.requested:
            raise LeftAtOnce
        self.requested = True
