"""Emphasis for what is wrong, on a terminal: always on words that say it by themselves, never by colour alone."""

import os
import re
from typing import TextIO

from spark_mode.cli.best_effort_stream import BestEffortStream

_WRONG = r"^(?: *(?:ERROR|AGAINST THE RULES|CUT OFF|UNHEALTHY|✗)| *refused(?=:)|not completed(?=:)|spark-mode(?=:))"
_WRONG_CELLS = r"(?<=  )(?:unhealthy|restarting|dead|oom-risk|does-not-fit|failed|interrupted)(?=[ ,:]|$)"
_MARKS = (
    (re.compile(f"{_WRONG}|{_WRONG_CELLS}", re.MULTILINE), "1", "31"),
    (re.compile(r"^ *(?:WARNING|warning\b)", re.MULTILINE), "1", "35"),
    (re.compile(r"^ *✓", re.MULTILINE), "", "32"),
)
"""What is emphasised, the weight that it has in any case, and the colour that it has where colours are wanted."""


def emphasised(text: str, stream: TextIO) -> str:
    """Return text with its emphasis for a terminal: in colour, under NO_COLOR by weight alone, and as it is for anything else."""
    if not BestEffortStream(stream).isatty() or os.environ.get("TERM") == "dumb":
        return text
    colours = not os.environ.get("NO_COLOR")
    for pattern, weight, colour in _MARKS:
        codes = ";".join(filter(None, (weight, colour if colours else "")))
        if codes:
            text = pattern.sub(f"\x1b[{codes}m\\g<0>\x1b[0m", text)
    return text
