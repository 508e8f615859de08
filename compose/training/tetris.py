"""Tetris as a learner sees it: a piece comes, it is put somewhere, full lines vanish.

A board is a tuple of rows from the top down; a row is a number whose bits are its filled cells. Putting a piece is then a
handful of `&` and `|`, quick enough to try every placement of a piece before one is chosen.
"""

from collections.abc import Iterator
from random import Random
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
NAMES = tuple(PIECES)


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


class Game:
    """One game: the board, the piece that comes, and what has been reached so far."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.restart()

    def restart(self) -> None:
        """Begin anew with an empty board."""
        self.board, self.pieces, self.lines = EMPTY, 0, 0
        self._draw()

    def placements(self) -> list[Placement]:
        """Return all that can be done with the piece; nothing when the game is over."""
        return list(self._placements())

    def _placements(self) -> Iterator[Placement]:
        for shape in PIECES[self.piece]:
            if placement := drop(self.board, shape):
                yield placement

    def put(self, placement: Placement) -> None:
        """Do one of them, and draw the next piece."""
        self.board = placement.board
        self.pieces += 1
        self.lines += placement.lines
        self._draw()

    def _draw(self) -> None:
        self.piece = self._random.choice(NAMES)

    def state(self) -> tuple[Board, str, int, int]:
        """Return all that it takes to go on with this game later."""
        return self.board, self.piece, self.pieces, self.lines

    def resume(self, state: tuple[Board, str, int, int]) -> None:
        """Go on where `state` was taken."""
        self.board, self.piece, self.pieces, self.lines = state
