"""The screens that are kept for people to read are those that the code draws, and lose nothing at any width."""

import re
from itertools import product

import pytest

from spark_mode.lab.verbs import VERBS
from tests.screen_examples import FOLDER, SCREENS, WIDTHS, path_of, screen
from tests.set_up_screens import UNBROKEN

pytestmark = pytest.mark.xdist_group("screens")  # each of which is drawn once, and looked at by several tests
WIDE = 400
BAR = re.compile(r"[\[\]#=.─┌┐├┤└┘│]+")


@pytest.mark.parametrize("name", SCREENS)
def test_a_kept_screen_is_what_the_code_draws(name: str) -> None:
    for width in WIDTHS:
        assert path_of(name, width).read_text() == screen(name, width), "it changed: make documents, and read what comes out"


def test_no_screen_is_kept_that_nothing_draws() -> None:
    assert set(FOLDER.iterdir()) == {path_of(name, width) for name in SCREENS for width in WIDTHS}


def test_no_line_is_longer_than_the_terminal_and_no_word_is_broken() -> None:
    for name, width in product(SCREENS, WIDTHS):
        whole, shown = set(screen(name, WIDE).split()), screen(name, width)
        too_long = [line for line in shown.splitlines() if len(line) > width and " " in line.strip()]
        assert not too_long or name in UNBROKEN, (name, width)
        assert not [word for word in shown.split() if word not in whole and not BAR.fullmatch(word)], (name, width)


def test_every_command_has_a_screen() -> None:
    shown = {screen(name, WIDE).split()[2] for name in SCREENS}
    assert {*VERBS} - shown == set()


def test_no_screen_has_a_word_that_is_for_programs_or_a_time_of_elsewhere() -> None:
    of_programs = re.compile(r"await-release|\bcustom\b|\bverify\b|-:|\d\dT\d\d|\+00:00")
    assert [name for name in SCREENS if of_programs.search(screen(name, WIDE))] == []
