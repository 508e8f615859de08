"""The game of tetris.py, hundreds of times at once: tensors on the device, and no loop over games or placements.

A board is ten numbers, its columns; the bits of a column are its cells, the lowest being the topmost. What a shape would hit,
at every height at once, is then four shifts and an `or`: the lowest bit of that is where it is stopped.
"""

from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from tetris import HEIGHT, PIECES, WIDTH, Board

CELLS = 4  # of each shape; and the most lines that one can fill
FLOOR = (2**CELLS - 1) << HEIGHT  # what is below the last row of each column
NOWHERE = [
    (HEIGHT, 0)
] * CELLS  # in place of a shape, where a piece has fewer than others: below the floor, without room on any board
RECENT = 100
OF_EACH, OF_ALL = ("boards", "piece", "pieces", "lines"), ("finished", "recent")


class Placements(NamedTuple):
    """What comes of each shape of each game's piece, games x shapes: the columns after it, its lines, whether it has room."""

    boards: Tensor
    lines: Tensor
    possible: Tensor


def cells(shape: Board) -> list[tuple[int, int]]:
    """Return the rows and columns of a shape's cells."""
    return [(row, column) for row, filled in enumerate(shape) for column in range(WIDTH) if filled >> column & 1]


def tables(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return the rows and columns of the cells of all shapes, pieces x shapes x cells, and what each shape adds to columns."""
    most = max(map(len, PIECES.values()))
    every = [[*map(cells, shapes), *[NOWHERE] * (most - len(shapes))] for shapes in PIECES.values()]
    rows, columns = torch.tensor(every, device=device).unbind(-1)
    added = (1 << rows.unsqueeze(-1)) * (columns.unsqueeze(-1) == torch.arange(WIDTH, device=device))
    return rows.int(), columns, added.sum(-2).int()


def without_full_lines(boards: Tensor) -> tuple[Tensor, Tensor]:
    """Take the full lines away, the upper first; return the boards, and how many lines each one had."""
    full = reduce(torch.bitwise_and, boards.unbind(-1)).unsqueeze(-1)
    lines = torch.zeros_like(full)
    for _ in range(CELLS):
        line = full & -full
        above = (line - 1).clamp(min=0)  # every cell higher up; where no line is left, no cell
        boards = boards & ~(line | above) | (boards & above) << 1
        full, lines = full - line, lines + (line > 0)
    return boards, lines.squeeze(-1)


class Games:
    """Games that go on for ever: one that is over begins anew."""

    def __init__(self, count: int, chance: torch.Generator) -> None:
        """Begin so many games on the device of `chance`, which draws their pieces."""
        self.chance, self._tables = chance, tables(chance.device)
        self.boards = torch.zeros(count, WIDTH, dtype=torch.int32, device=chance.device)
        self.pieces, self.lines = torch.zeros(2, count, device=chance.device)
        self.finished = torch.zeros((), dtype=torch.int64, device=chance.device)
        self.recent = torch.zeros(3, device=chance.device)  # games, pieces and lines of the last games, some RECENT of them
        self._draw()

    def _draw(self) -> None:
        self.piece = torch.randint(len(PIECES), self.pieces.shape, device=self.chance.device, generator=self.chance)

    def placements(self) -> Placements:
        """Return all that can be done; where nothing is possible the game is over."""
        rows, columns, added = (table[self.piece] for table in self._tables)
        hits = (self.boards | FLOOR).gather(1, columns.flatten(1)).view_as(columns) >> rows
        hit = reduce(torch.bitwise_or, hits.unbind(-1))
        stopped = hit & -hit
        boards, lines = without_full_lines(self.boards.unsqueeze(1) | added * stopped.unsqueeze(-1) >> 1)
        return Placements(boards, lines, stopped > 1)

    def any(self, placements: Placements) -> Tensor:
        """Choose one that is possible at random, for each game."""
        order = torch.rand(placements.lines.shape, device=self.chance.device, generator=self.chance)
        return order.masked_fill(~placements.possible, -1).argmax(1)

    def put(self, placements: Placements, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Do the chosen ones, and draw the next pieces; return the lines of each, and which games were over before that."""
        game = torch.arange(len(chosen), device=chosen.device)
        over = ~placements.possible[game, chosen]
        cleared = placements.lines[game, chosen].masked_fill(over, 0)
        ended = torch.stack([over, self.pieces * over, self.lines * over]).sum(1)
        self.finished = self.finished + over.sum()
        self.recent = (self.recent + ended) * (RECENT / (self.recent + ended)[0].clamp(min=RECENT))
        self.boards = placements.boards[game, chosen].masked_fill(over.unsqueeze(-1), 0)
        self.pieces = (self.pieces + 1).masked_fill(over, 0)
        self.lines = (self.lines + cleared).masked_fill(over, 0)
        self._draw()
        return cleared, over

    def state(self) -> dict[str, Tensor]:
        """Return all that it takes to go on with these games later, but for `chance`."""
        return {name: getattr(self, name) for name in (*OF_EACH, *OF_ALL)}

    def resume(self, state: dict[str, Tensor]) -> None:
        """Go on where `state` was taken; with another number of games, with as many of those as there are."""
        for name in (*OF_EACH, *OF_ALL):
            new, saved = getattr(self, name), state[name].to(self.chance.device)
            setattr(self, name, torch.cat([saved[: len(new)], new[len(saved) :]]) if name in OF_EACH else saved)
