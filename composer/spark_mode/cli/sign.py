"""A sign on the terminal that something is done, until there is something to say."""

import sys

from spark_mode.cli.best_effort_stream import BestEffortStream

LOOKING = "looking at the lab …"
ERASE = "\r\x1b[K"
"""Takes away what the line of the terminal has."""


class Sign:
    """A line of standard error that is there while nothing else is; nothing at all where nobody looks."""

    def __init__(self) -> None:
        self._is_there = False

    def shown(self) -> None:
        """Write it, at once."""
        out = BestEffortStream(sys.stderr)
        if not self._is_there and out.isatty():
            self._is_there = True
            out.write(LOOKING)
            out.flush()

    def gone(self) -> None:
        """Take it away, before anything else is written on the terminal."""
        if self._is_there:
            self._is_there = False
            out = BestEffortStream(sys.stderr)
            out.write(ERASE)
            out.flush()
