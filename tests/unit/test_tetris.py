"""The trainer's game is Tetris."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetris import EMPTY, FULL, HEIGHT, PIECES, WIDTH, Board, Game, drop


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
    game = Game(Random(1))
    game.board = (FULL ^ 1,) * HEIGHT
    assert game.placements() == []


@given(st.integers(0, 10**6))
def test_nothing_is_lost_but_full_lines_and_nothing_floats(seed: int) -> None:
    random = Random(seed)
    game = Game(random)
    while placements := game.placements():
        before = game.board
        game.put(chosen := random.choice(placements))
        assert len(game.board) == HEIGHT
        assert FULL not in game.board
        assert cells(game.board) == cells(before) + 4 - WIDTH * chosen.lines
        if game.pieces > 60:
            break


def test_a_game_goes_on_as_it_was_saved() -> None:
    random, again = Random(5), Random(5)
    one, other = Game(random), Game(again)
    one.put(one.placements()[3])
    other.resume(one.state())
    again.setstate(random.getstate())
    for game in (one, other):
        game.put(game.placements()[0])
    assert one.state() == other.state()
    assert one.board != EMPTY
