"""The record of the last switch is whole or absent, and never more than intent."""

from pathlib import Path

import pytest

from composer.errors import ConfigurationError
from composer.switching.state import Before, State, read_state, write_state

STATE = State(request="audio omni", mode="audio omni", since="2026-01-01T00:00:00+00:00", before=Before(mode="idle"))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_state(tmp_path / "state.json", STATE)
    assert read_state(tmp_path / "state.json") == STATE
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"mode": 1}', "\x00"])
def test_a_file_that_cannot_be_read_is_no_state(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    assert read_state(tmp_path / "state.json") == State()
    assert read_state(tmp_path / "absent.json") == State()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="its record is not"):
        write_state(tmp_path / "no" / "state.json", STATE)
