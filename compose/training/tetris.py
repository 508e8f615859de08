"""Tetris as a learner sees it: a piece comes, it is put somewhere, full lines vanish.

This is the game to read. The trainer plays that of games.py, hundreds at once; a test holds the two to each other, move by move.

A board is a tuple of rows from the top down; a row is a number whose bits are its filled cells. Putting a piece is then a
handful of `&` and `|`.
"""

from typing import NamedTuple

HEIGHT, WIDTH = 20, 10
FULL = (1 << WIDTH) - 1

Board = tuple[int, ...]
EMPTY: Board = (0,) * HEIGHT

# Each piece as the pictures of its rotations; `#` is filled, `/` ends a row.
PICTURES = {
    "I": ("####", "#/#/#/#"),
    "O": ("##/##",),
    "T": ("###/.#.", ".#/##/.#", ".#./###", "#./##/#."),
    "S": (".##/##.", "#./##/.#"),
    "Z": ("##./.##", ".#/##/#."),
    "J": ("#../###", "##/#./#.", "###/..#", ".#/.#/##"),
    "L": ("..#/###", "#./#./##", "###/#..", "##/.#/.#"),
}


class Placement(NamedTuple):
    """What comes of putting a piece somewhere: the board after full lines have vanished, and how many did."""

    board: Board
    lines: int


def shapes(picture: str) -> tuple[Board, ...]:
    """Return a rotation at every column that it fits in, each as the rows that it fills."""
    rows = [sum(1 << at for at, cell in enumerate(row) if cell == "#") for row in picture.split("/")]
    columns = WIDTH - max(len(row) for row in picture.split("/")) + 1
    return tuple(tuple(row << column for row in rows) for column in range(columns))


PIECES: dict[str, tuple[Board, ...]] = {
    name: tuple(shape for picture in pictures for shape in shapes(picture)) for name, pictures in PICTURES.items()
}


def fits(board: Board, shape: Board, top: int) -> bool:
    """Return whether a shape may lie with its first row at `top`."""
    return top + len(shape) <= HEIGHT and not any(board[top + at] & row for at, row in enumerate(shape))


def drop(board: Board, shape: Board) -> Placement | None:
    """Let a shape fall straight down; None if there is no room for it at the top."""
    if not fits(board, shape, 0):
        return None
    top = next(row for row in range(HEIGHT) if not fits(board, shape, row + 1))
    filled = [board[top + at] | row for at, row in enumerate(shape)]
    rows = [*board[:top], *(row for row in filled if row != FULL), *board[top + len(shape) :]]
    lines = HEIGHT - len(rows)
    return Placement((0,) * lines + tuple(rows), lines)
