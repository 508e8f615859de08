"""What is read has the times of here, and emphasis where something is wrong: on words that say so without any colour."""

import re
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import pytest

from spark_mode.cli.completion import complete
from spark_mode.cli.emphasis import emphasised
from spark_mode.cli.main import cli
from spark_mode.cli.on_screen import on_screen
from spark_mode.cli.sign import LOOKING, Sign
from spark_mode.reporting.local_time import day_of, local_times

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 7, 1, 0, 30, tzinfo=BERLIN)
WRONG = ["AGAINST THE RULES: a and b", "CUT OFF: a", "ERROR   rules", "spark-mode: no", "✗  4  start", "refused: a"]


class Terminal(StringIO):
    """A stream at which somebody looks."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.mark.parametrize(
    ("stamp", "said"),
    [
        ("2026-06-30T22:10:00+00:00", "00:10"),
        ("2026-06-30T20:10:00.123456Z", "yesterday 22:10"),
        ("2026-01-05T11:00:00+00:00", "5 Jan 12:00"),
        ("2025-12-05T11:00:00+00:00", "5 Dec 2025"),
        ("2026-13-05T11:00:00+00:00", "2026-13-05T11:00:00+00:00"),
    ],
)
def test_a_time_is_that_of_here_in_summer_and_in_winter(stamp: str, said: str) -> None:
    assert local_times(f"held since {stamp}, by ann", NOW) == f"held since {said}, by ann"


def test_a_day_is_that_of_here() -> None:
    assert [day_of(stamp, NOW) for stamp in ("2026-06-30T22:10:00+00:00", "2025-06-30T21:10:00+00:00", "?")] == [
        *("1 Jul", "30 Jun 2025", "?")
    ]


def test_text_without_a_time_is_left_as_it_is() -> None:
    text = "nothing of the lab runs: 12:30, 2026-01-01, project 2026-01-01T"
    assert local_times(text, datetime(2026, 1, 1, tzinfo=UTC)) == text


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_is_emphasised_on_a_terminal_and_says_so_by_itself(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = emphasised(f"first\n{line}", Terminal())
    assert shown.startswith("first\n\x1b[1;31m")
    assert re.sub(r"\x1b\[[\d;]*m", "", shown) == f"first\n{line}"
    monkeypatch.setenv("NO_COLOR", "1")
    assert emphasised(line, Terminal()).startswith("\x1b[1m"), "weight is no colour"
    assert emphasised(line, StringIO()) == line
    monkeypatch.setenv("TERM", "dumb")
    assert emphasised(line, Terminal()) == line


def test_a_state_in_a_table_is_emphasised_and_a_name_is_not() -> None:
    row = "omni    running  unhealthy  3 s"
    assert emphasised(row, Terminal()) == "omni    running  \x1b[1;31munhealthy\x1b[0m  3 s"
    assert emphasised("unhealthy-page  running", Terminal()) == "unhealthy-page  running"


def test_text_from_outside_never_controls_the_terminal() -> None:
    assert on_screen("name \x1b[2J\x07 of a container", StringIO()) == "name  [2J  of a container"


def test_the_sign_that_the_lab_is_looked_at_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    monkeypatch.setattr("sys.stderr", out)
    sign = Sign()
    sign.gone()
    sign.shown()
    sign.shown()
    assert out.getvalue() == LOOKING
    sign.gone()
    sign.gone()
    assert out.getvalue() == f"{LOOKING}\r\x1b[K"


def test_what_completes_a_line_writes_nothing_on_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    (tmp_path / "rules.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")  # whoever asks Compose has no answer
    out = Terminal()
    monkeypatch.setattr("sys.stderr", out)
    root = cli.make_context("spark-mode", ["up"], resilient_parsing=True)
    assert complete("names", click.Context(click.Command("up"), parent=root), "") == []
    assert out.getvalue() == ""


def test_where_nobody_looks_there_is_no_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    out = StringIO()
    monkeypatch.setattr("sys.stderr", out)
    sign = Sign()
    sign.shown()
    sign.gone()
    assert out.getvalue() == ""
