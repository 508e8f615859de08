"""The trainer's game is Tetris."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.deep import DEEP
from tetris import EMPTY, FULL, HEIGHT, PIECES, WIDTH, Board, drop


def board(*rows: str) -> Board:
    """Return a board with these rows at its bottom; `#` is filled."""
    drawn = tuple(sum(1 << at for at, cell in enumerate(row) if cell == "#") for row in rows)
    return (0,) * (HEIGHT - len(rows)) + drawn


def cells(rows: Board) -> int:
    return sum(row.bit_count() for row in rows)


@pytest.mark.parametrize(("piece", "count"), [("I", 17), ("O", 9), ("T", 34), ("S", 17), ("Z", 17), ("J", 34), ("L", 34)])
def test_a_piece_has_four_cells_and_goes_wherever_it_fits(piece: str, count: int) -> None:
    assert len(set(PIECES[piece])) == count
    assert {cells(shape) for shape in PIECES[piece]} == {4}
    assert all(0 < row <= FULL for shape in PIECES[piece] for row in shape)


def test_a_piece_falls_until_something_is_in_its_way() -> None:
    placement = drop(board("#........."), PIECES["O"][0])
    assert placement is not None
    assert placement.board == board("##........", "##........", "#.........")
    assert placement.lines == 0


def test_full_lines_vanish_and_what_lies_above_comes_down() -> None:
    placement = drop(board(".#........", "..########", "..########"), PIECES["O"][0])
    assert placement is not None
    assert placement == (board("##........", "##........", ".#........", "..########", "..########"), 0)
    placement = drop(board("...#......", "..########", "..########"), PIECES["O"][0])
    assert placement == (board("...#......"), 2)


def test_a_game_is_over_when_no_piece_fits_any_more() -> None:
    full = (FULL ^ 1, FULL ^ 2) * (HEIGHT // 2)
    assert not any(drop(full, shape) for shapes in PIECES.values() for shape in shapes)


@settings(max_examples=100 if DEEP else 40)
@given(st.integers(0, 10**6))
def test_nothing_is_lost_but_full_lines_and_nothing_floats(seed: int) -> None:
    random = Random(seed)
    board = EMPTY
    for _ in range(60):
        placements = [one for shape in PIECES[random.choice(list(PIECES))] if (one := drop(board, shape))]
        if not placements:
            break
        before, (board, lines) = board, random.choice(placements)
        assert len(board) == HEIGHT
        assert FULL not in board
        assert cells(board) == cells(before) + 4 - WIDTH * lines
