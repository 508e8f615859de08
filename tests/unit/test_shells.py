"""Real shells offer what the lab has, as somebody types it; a shell that is not there is not asked."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from spark_mode.cli.completion import completion_script
from spark_mode.cli.main import cli
from tests.audio_lab import ROOT
from tests.deep import DEEP
from tests.known_plugin import configuration
from tests.shells import SHELLS, require

Ask = Callable[[str], list[str]]
FROM_FPATH = "zsh from fpath"
"""A zsh that reads all of its functions anew takes its time: once in `make test`, always in `make test-deep`."""


@pytest.fixture(params=[one for one in SHELLS if DEEP or one != FROM_FPATH])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    return asked_of(request.param, tmp_path)


def asked_of(name: str, tmp_path: Path) -> Ask:
    """Return what asks a shell that was told how to complete spark-mode, in the folder of the audio lab."""
    shell = name.partition(" ")[0]
    require(shell)
    script = tmp_path / "script"
    script.write_text(completion_script(shell, cli).replace(" -E -m ", " -m "))  # what is asked is this checkout
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COMPOSE_", "SPARK_MODE_"))}
    own = {"DOCKER_CONFIG": configuration(), "XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    return lambda line: SHELLS[name](script, line, ROOT, environment | own)


def test_zsh_finds_the_script_in_a_folder_of_its_fpath(tmp_path: Path) -> None:
    assert words(asked_of(FROM_FPATH, tmp_path)("spark-mode audio ")) == {"omni", "chatterbox", "xtts", "qwen", "f5"}


def words(lines: list[str]) -> set[str]:
    return {word for line in lines for word in line.split()}


def test_a_verb_is_offered_by_its_beginning(ask: Ask) -> None:
    (line,) = ask("spark-mode a")
    assert re.match(r"audio\b", line)


def test_what_a_verb_does_is_told_whole_where_a_shell_tells_that(ask: Ask, request: pytest.FixtureRequest) -> None:
    (line,) = ask("spark-mode hist")
    told = "" if "bash" in request.node.name else "Show what was switched, by whom, and how it ended"
    assert line.removeprefix("history").strip(" -\t") == told


def test_the_profiles_of_a_mode_are_offered(ask: Ask) -> None:
    assert words(ask("spark-mode audio ")) == {"omni", "chatterbox", "xtts", "qwen", "f5"}


@pytest.mark.parametrize(
    ("line", "offered"),
    [("training:", {"small", "mid", "large"}), ("up llama3.1:8", {"8b"})],
)
def test_what_stands_behind_a_colon_is_offered(ask: Ask, line: str, offered: set[str]) -> None:
    assert {word.rpartition(":")[2] for word in words(ask(f"spark-mode {line}"))} == offered


def test_files_are_offered_where_one_is_to_be_named(ask: Ask) -> None:
    assert words(ask("spark-mode --rules rul")) == {"rules.yaml"}
