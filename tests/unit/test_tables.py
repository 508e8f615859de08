"""Tables and prose stay within the terminal, and lose nothing by it."""

import pytest

from spark_mode.cli.tables import columns, within
from spark_mode.lab.few import few
from spark_mode.planning.plan import Verify, steps_as_json, steps_text

NAMES = [f"service-{number}" for number in range(17)]
ROWS = [("1", "create", "omni", "requested"), ("2", "stop", ", ".join(NAMES), "training runs alone: it saturates the SMs")]


def test_a_table_that_fits_is_as_wide_as_what_is_in_it() -> None:
    rows = [("1", "create", "omni"), ("12", "stop", "whisper")]
    assert columns(rows, right=(0,), width=80) == columns(rows, right=(0,)) == " 1  create  omni\n12  stop    whisper"


def test_what_is_too_long_goes_on_under_itself() -> None:
    rows = [("1", "note", "training runs alone: it saturates the SMs"), ("2", "go", "now")]
    assert columns(rows, width=30) == "1  note  training runs alone:\n         it saturates the SMs\n2  go    now"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_of_a_table_is_longer_than_the_terminal_and_no_word_is_lost(width: int) -> None:
    lines = columns(ROWS, right=(0,), width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert set(" ".join(lines).split()) == {word for row in ROWS for cell in row for word in cell.split()}


def test_a_word_is_not_broken_while_another_column_can_be_narrower() -> None:
    rows = [("training and audio and a model", "one-at-a-time", "training runs alone: it saturates")]
    lines = columns(rows, width=50).splitlines()
    assert max(map(len, lines)) <= 50
    assert "one-at-a-time" in lines[0]


def test_a_word_that_is_longer_than_its_column_is_broken() -> None:
    assert max(map(len, columns([("a", "x" * 100)], width=40).splitlines())) == 40


def test_prose_goes_on_under_its_own_text_and_a_path_stays_whole() -> None:
    assert within("note: one two three four", 14) == "note: one two\n  three four"
    assert within("mode    audio omni, for 3 min", 20) == "mode    audio omni,\n        for 3 min"
    assert within("          → give each a healthcheck", 26) == "          → give each a\n            healthcheck"
    assert within(f"note: /{'x' * 40}", 20) == f"note:\n  /{'x' * 40}"


def test_without_a_terminal_no_line_is_broken() -> None:
    assert within("x " * 500, None) == "x " * 500
    assert len(columns(ROWS).splitlines()) == 2


def test_a_few_of_many_names_are_named() -> None:
    assert few(NAMES, 5) == "service-0, service-1, service-2, service-3, service-4 and 12 more"
    assert few(NAMES[:6], 5) == ", ".join(NAMES[:6])


def test_a_step_of_many_names_shows_a_few_and_its_data_has_all() -> None:
    step = Verify(subject=", ".join(NAMES), cause="healthy", services=tuple(NAMES), completes=())
    assert steps_text([step]) == "1  verify  service-0, service-1, service-2 and 14 more  healthy"
    assert steps_as_json([step])[0]["subject"] == ", ".join(NAMES)
