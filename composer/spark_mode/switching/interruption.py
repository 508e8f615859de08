"""Ctrl-C, SIGTERM and SIGHUP during a switch: the first one asks it to go back, the second leaves at once.

Ctrl-Z is not taken in the middle of a switch: stopped, it would keep everybody else from switching, without end.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from spark_mode.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class LeftAtOnce(BaseException):
    """A second signal came: nothing more is done, and whatever runs is left running."""


class Interruption:
    """Remembers the first signal until somebody can act on it.

    `heard` belongs to a switch: it is told of the first signal and of each Ctrl-Z, in the signal's own handler. A job's queue
    sends SIGTERM more than once, to its steps and through `srun`: with `of_job` only the first one counts.
    """

    def __init__(self, heard: Callable[[signal.Signals], None] | None = None, of_job: bool = False) -> None:
        self.requested = False
        self._ignored = self._stops = False
        self._heard, self._of_job = heard, of_job

    def check(self) -> None:
        """Raise Interrupted when a signal has come, until `going_back` was called: the way back is what it asked for."""
        if self.requested and not self._ignored:
            raise Interrupted("interrupted")

    def going_back(self) -> None:
        """Have `check` raise no more: the way back has begun. A second signal still leaves at once."""
        self._ignored = True

    def stopping(self) -> None:
        """Have a job's SIGTERM say nothing new: what is done is the stop that it asked for."""
        self._stops = True

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals over while a switch runs; those that are ignored, as under `nohup`, stay ignored."""
        wanted = SIGNALS if self._heard is None else (*SIGNALS, signal.SIGTSTP)
        heard = [number for number in wanted if signal.getsignal(number) is not signal.SIG_IGN]
        former = {number: signal.signal(number, self._on_signal) for number in heard}
        try:
            yield
        finally:
            for number, how in former.items():
                signal.signal(number, how)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the interface of signal.signal
        if number == signal.SIGTERM and self._of_job and (self.requested or self._stops):
            return
        if number != signal.SIGTSTP:
            if self.requested:
                raise LeftAtOnce
            self.requested = True
        if self._heard:
            self._heard(signal.Signals(number))
