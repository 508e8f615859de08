"""Holds the games of tensors to those of tetris.py: runs in the workshop, and prints how many placements were compared.

First every piece on random boards, whatever they look like; then whole games, of which each goes on as the tensors chose.
"""

import os
from random import Random

import torch

from games import Games, Placements
from tetris import EMPTY, FULL, HEIGHT, PIECES, WIDTH, Board, Placement, drop

NAMES = tuple(PIECES)
BOARDS, GAMES, MOVES = int(os.environ["BOARDS"]), 16, int(os.environ["MOVES"])


def random_board(random: Random) -> Board:
    """Return rows of any density under a sky of any height; no row is full, and on many boards some lack one cell of a column."""
    sky, often, lacking = random.randrange(HEIGHT + 1), random.random(), FULL ^ 1 << random.randrange(WIDTH)
    rows = (lacking if random.random() < often else random.getrandbits(WIDTH) for _ in range(HEIGHT - sky))
    return (0,) * sky + tuple(row if row != FULL else 0 for row in rows)


def columns(board: Board) -> list[int]:
    """Turn rows into columns."""
    return [sum((row >> column & 1) << at for at, row in enumerate(board)) for column in range(WIDTH)]


def compare(boards: list[Board], pieces: list[int], found: Placements) -> list[list[Placement | None]]:
    """Fail unless the reference says the same of each shape, and that there is no other; return what it says."""
    said = [[drop(board, shape) for shape in PIECES[NAMES[piece]]] for board, piece in zip(boards, pieces, strict=True)]
    for board, lines, possible, placements in zip(*(part.tolist() for part in found), said, strict=True):
        assert possible == [one is not None for one in placements] + [False] * (len(possible) - len(placements))
        for at, one in enumerate(placements):
            assert one is None or (columns(one.board), one.lines) == (board[at], lines[at])
    return said


def play(games: Games) -> int:
    """Play games by the side of the reference; return how many ended."""
    boards, pieces, lines, ended = [EMPTY] * GAMES, [0] * GAMES, [0] * GAMES, 0
    for _ in range(MOVES):
        placements = games.placements()
        said = compare(boards, games.piece.tolist(), placements)
        chosen = games.any(placements)
        cleared, over = games.put(placements, chosen)
        for game, shape in enumerate(chosen.tolist()):
            if any(said[game]):
                now = said[game][shape]
                assert now
                assert cleared[game] == now.lines
                boards[game], pieces[game], lines[game] = now.board, pieces[game] + 1, lines[game] + now.lines
            else:
                boards[game], pieces[game], lines[game], ended = EMPTY, 0, 0, ended + 1
            assert over[game] == (not any(said[game]))
        assert games.boards.tolist() == [columns(board) for board in boards]
        assert (games.pieces.tolist(), games.lines.tolist(), games.finished) == (pieces, lines, ended)
    return ended


random = Random(os.environ["SEED"])
games = Games(BOARDS * len(NAMES), torch.Generator().manual_seed(0))
boards = [board for board in (random_board(random) for _ in range(BOARDS)) for _ in NAMES]
games.boards = torch.tensor([columns(board) for board in boards], dtype=torch.int32)
games.piece = torch.arange(len(boards)) % len(NAMES)
said = compare(boards, games.piece.tolist(), games.placements())
results = [one for placements in said for one in placements]
cleared = {one.lines for one in results if one}
ended = play(Games(GAMES, torch.Generator().manual_seed(random.getrandbits(60))))
print(f"compared {len(results)} shapes, {results.count(None)} without room, {sorted(cleared)} lines; {ended} games ended")
