"""Columns of plain text, within the terminal that shows them."""

import os
import re
import sys
from collections.abc import Collection, Sequence
from typing import TextIO

from spark_mode.cli.best_effort_stream import BestEffortStream

NARROWEST = 10
"""Below this no column is narrowed: a terminal that is too small for that breaks the lines itself."""
READABLE = 28
"""So wide is a last column at least, while others can be narrower: it has the sentences."""
GAP = 2
"""How many spaces are between two columns."""
USUAL = 80
"""How wide a terminal is that does not say."""
THERE = "SPARK_MODE_COLUMNS"
"""What says how wide a terminal is that shows this on another machine."""
_SIZE = re.compile(r"\S+ (?:GB|s|min|h \d+ min|d \d+ h)")
"""A size or a span of time: a number and its unit, which are one word."""


def terminal_width(stream: TextIO | None = None) -> int | None:
    """Return how many characters a line of the terminal has, None where a stream, else standard output, goes elsewhere.

    Where that is to whoever asks over ssh, the width is the one that is said.
    """
    out = BestEffortStream(stream or sys.stdout)
    if not out.isatty():
        return _named(THERE) if stream in (None, sys.stdout) else None
    try:
        return _named("COLUMNS") or os.get_terminal_size(out.fileno()).columns or USUAL
    except OSError:
        return USUAL


def _named(variable: str) -> int | None:
    named = os.environ.get(variable, "")
    return int(named) or None if named.isdecimal() else None


def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = (), width: int | None = None, spare: Sequence[int] = ()) -> str:
    """Write rows in columns, two spaces apart; the columns numbered in `right` are flush right.

    Within a `width` the widest columns are narrowed until a row fits, and what is longer goes on under itself; where words would
    have to be broken for that, or the last column be too narrow to be read, the columns numbered in `spare` are left out first,
    one after the other.
    """
    return "\n".join(blocks(rows, right, width, spare))


def blocks(
    rows: Sequence[Sequence[str]], right: Sequence[int] = (), width: int | None = None, spare: Sequence[int] = ()
) -> list[str]:
    """Return the rows as `columns` writes them: each as one text of a line or more."""
    if not rows:
        return []
    shown = list(range(len(rows[0])))
    for column in spare:
        if width is None or _total(_least(_cells([[row[place] for place in shown] for row in rows]))) <= width:
            break
        shown.remove(column)
    kept = [[row[place] for place in shown] for row in rows]
    widths, flush = _widths(kept, width), {shown.index(place) for place in right if place in shown}
    return ["\n".join(_line(pairs, flush) for pairs in _wrapped(row, widths)) for row in kept]


def _line(cells: Sequence[tuple[str, int]], flush: Collection[int]) -> str:
    return "  ".join(
        cell.rjust(size) if column in flush else cell.ljust(size) for column, (cell, size) in enumerate(cells)
    ).rstrip()


def _cells(rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    return list(zip(*rows, strict=True))


def _longest(column: Sequence[str]) -> int:
    """Return how long the longest word is; a size stays beside its unit."""
    return max((len(word) for cell in column for word in _words(cell)), default=0)


def _words(cell: str) -> list[str]:
    return [cell] if _SIZE.fullmatch(cell.strip()) else cell.split()


def _least(cells: Sequence[Sequence[str]]) -> list[int]:
    """Return how wide each column is at least while it can be read: its longest word, and of the last one a few words."""
    return [*map(_longest, cells[:-1]), max(_longest(cells[-1]), min(READABLE, max(map(len, cells[-1]))))]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _widths(rows: Sequence[Sequence[str]], room: int | None) -> list[int]:
    """Return how wide each column is: no narrower than it can be read, unless that alone is too much for the room."""
    cells = _cells(rows)
    widths, words = [max(map(len, column)) for column in cells], [*map(_longest, cells)]
    for least in (_least(cells), words, [min(NARROWEST, word) for word in words]):
        while room and _total(widths) > room:
            wide = [place for place, size in enumerate(widths) if size > least[place]]
            if not wide:
                break
            widths[max(wide, key=widths.__getitem__)] -= 1
    return widths


def _wrapped(row: Sequence[str], widths: Sequence[int]) -> list[list[tuple[str, int]]]:
    """Return the lines of a row: its cells, each with the width of its column."""
    cells = [_broken(cell, size, cell[: len(cell) - len(cell.lstrip())]) for cell, size in zip(row, widths, strict=True)]
    lines = [[cell[line] if line < len(cell) else "" for cell in cells] for line in range(max(map(len, cells)))]
    return [list(zip(line, widths, strict=True)) for line in lines]


def within(text: str, width: int | None) -> str:
    """Break the lines that are longer than a terminal's at words; what follows is under the text of its line."""
    if width is None:
        return text
    return "\n".join(part for line in text.split("\n") for part in _broken(line, width, _hanging(line), words_stay_whole=True))


def shortened_to(line: str, width: int) -> str:
    """Return a line that is redrawn again and again, with the words of it that a terminal's line has room for."""
    if len(line) <= width:
        return line
    begins, _, _ = line[: width - 1].rpartition(" ")
    return f"{begins.rstrip() or line[: width - 2]} …"


def _hanging(line: str) -> str:
    """Return the indentation of what follows a line: under what comes after its first word and a gap, or a little."""
    begins = re.match(r" *(?:\S+ {2,}|→ )", line)
    return " " * (begins.end() if begins else len(line) - len(line.lstrip()) + 2)


def _broken(text: str, width: int, indent: str, words_stay_whole: bool = False) -> list[str]:
    if len(text) <= width:
        return [text]
    from textwrap import wrap  # only where something is too long

    return wrap(text, width, subsequent_indent=indent, break_long_words=not words_stay_whole, break_on_hyphens=False)
