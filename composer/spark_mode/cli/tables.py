"""Columns of plain text, within the terminal that shows them."""

import re
import sys
from collections.abc import Sequence
from typing import TextIO

from spark_mode.cli.best_effort_stream import BestEffortStream

NARROWEST = 10
"""Below this no column is narrowed: a terminal that is too small for that breaks the lines itself."""


def terminal_width(stream: TextIO | None = None) -> int | None:
    """Return how many characters a line of the terminal has, None where a stream, else standard output, goes elsewhere."""
    if not BestEffortStream(stream or sys.stdout).isatty():
        return None
    from shutil import get_terminal_size  # only where somebody looks

    return get_terminal_size().columns


def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = (), width: int | None = None) -> str:
    """Write rows in columns, two spaces apart; the columns numbered in `right` are flush right.

    On a terminal, or within a `width`, the widest columns are narrowed until a row fits, and what is longer goes on under itself.
    """
    if not rows:
        return ""
    widths = _widths(rows, width or terminal_width())
    lines = (
        "  ".join(cell.rjust(size) if column in right else cell.ljust(size) for column, (cell, size) in enumerate(pairs))
        for row in rows
        for pairs in (tuple(zip(line, widths, strict=True)) for line in _wrapped(row, widths))
    )
    return "\n".join(line.rstrip() for line in lines)


def _widths(rows: Sequence[Sequence[str]], room: int | None) -> list[int]:
    """Return how wide each column is: no narrower than its longest word, unless that alone is too much for the room."""
    cells = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in cells]
    words = [max((len(word) for cell in column for word in cell.split()), default=0) for column in cells]
    for least in (words, [0] * len(words)):
        while room and sum(widths) + 2 * (len(widths) - 1) > room:
            wide = [place for place, size in enumerate(widths) if size > max(least[place], NARROWEST)]
            if not wide:
                break
            widths[max(wide, key=widths.__getitem__)] -= 1
    return widths


def _wrapped(row: Sequence[str], widths: Sequence[int]) -> list[list[str]]:
    """Return the lines of a row."""
    cells = [_broken(cell, size, cell[: len(cell) - len(cell.lstrip())]) for cell, size in zip(row, widths, strict=True)]
    return [[cell[line] if line < len(cell) else "" for cell in cells] for line in range(max(map(len, cells)))]


def within(text: str, width: int | None) -> str:
    """Break the lines that are longer than a terminal's at words; what follows is under the text of its line."""
    if width is None:
        return text
    return "\n".join(part for line in text.split("\n") for part in _broken(line, width, _hanging(line), words_stay_whole=True))


def _hanging(line: str) -> str:
    """Return the indentation of what follows a line: under what comes after its first word and a gap, or a little."""
    begins = re.match(r" *(?:\S+ {2,}|→ )", line)
    return " " * (begins.end() if begins else len(line) - len(line.lstrip()) + 2)


def _broken(text: str, width: int, indent: str, words_stay_whole: bool = False) -> list[str]:
    if len(text) <= width:
        return [text]
    from textwrap import wrap  # only where something is too long

    return wrap(text, width, subsequent_indent=indent, break_long_words=not words_stay_whole, break_on_hyphens=False)


def age(seconds: float) -> str:
    """Write a span of time as people do: `42 s`, `5 min`, `3 h 10 min`, `2 d 4 h`."""
    whole = int(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"
