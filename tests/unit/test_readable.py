"""What others say is shown in their words, and cannot rewrite the terminal that it is shown on."""

import pytest

from spark_mode.engine.questions import first_line, last_line

REWRITES = ("\x1b[2J", "\r", "\x9b31m", "\N{RIGHT-TO-LEFT OVERRIDE}", "\N{LINE SEPARATOR}")


@pytest.mark.parametrize("control", REWRITES, ids=ascii)
def test_what_compose_says_is_shown_without_what_rewrites_a_terminal(control: str) -> None:
    said = f"time=now level=warning\nno such{control}service: café \N{ROCKET}\n\n"
    assert last_line(said).isprintable()
    assert last_line(said).endswith("service: café \N{ROCKET}")
    assert first_line(said[said.index("no") :]).isprintable()
