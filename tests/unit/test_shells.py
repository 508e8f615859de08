"""Real shells offer what the lab has, as somebody types it; a shell that is not there is not asked."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from spark_mode.cli.completion import completion_script
from spark_mode.cli.main import cli
from spark_mode.own_command import own_command
from tests.audio_lab import ROOT
from tests.engine.node_forks import forks_here
from tests.known_plugin import configuration
from tests.shells import SHELLS, require

pytestmark = pytest.mark.xdist_group("shells")  # which share what Compose answered
PROFILES = {"omni", "chatterbox", "xtts", "qwen", "f5"}
BEHIND_A_COLON = {"spark-mode training:": {"small", "mid", "large"}, "spark-mode up llama3.1:8": {"8b"}}
VERB, TOLD, PROFILE, FILE = "spark-mode a", "spark-mode hist", "spark-mode audio ", "spark-mode --rules rul"
WHERE_ZSH_FINDS_IT = (TOLD, PROFILE)
"""How a script is found decides whether it is asked, and nothing of what it answers."""


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where what Compose answered to one shell is kept for the others."""
    return str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def forked(state: str) -> Iterator[str]:
    """What an interpreter is told to have a fork be spark-mode in its place."""
    with forks_here(Path(state) / "forks") as told:
        yield told


def words(lines: list[str]) -> set[str]:
    return {word for line in lines for word in line.split()}


@pytest.mark.parametrize("name", SHELLS)
def test_verbs_profiles_what_stands_behind_a_colon_and_files_are_offered(
    name: str, tmp_path: Path, state: str, forked: str
) -> None:
    """All of it by one shell that was told how to complete spark-mode, in the folder of the audio lab."""
    shell = name.partition(" ")[0]
    require(shell)
    script = tmp_path / "script"
    interpreter, *module = own_command()
    text = completion_script(shell, cli)
    assert text.count(f"{interpreter} {' '.join(module)})") == 1
    script.write_text(text.replace(" ".join(module), forked))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COMPOSE_", "SPARK_MODE_"))}
    own = {"DOCKER_CONFIG": configuration(), "XDG_STATE_HOME": state, "XDG_CONFIG_HOME": str(tmp_path)}
    asked = WHERE_ZSH_FINDS_IT if "fpath" in name else (VERB, TOLD, PROFILE, *BEHIND_A_COLON, FILE)
    offered = dict(zip(asked, SHELLS[name](script, asked, ROOT, environment | own), strict=True))
    (line,) = offered[TOLD]
    told = "" if shell == "bash" else "Show what was switched, by whom, and how it ended"
    assert line.removeprefix("history").strip(" -\t") == told, "what a verb does is told whole where a shell tells that"
    assert words(offered[PROFILE]) == PROFILES
    if "fpath" not in name:
        (line,) = offered[VERB]
        assert re.match(r"audio\b", line)
        found = {one: {word.rpartition(":")[2] for word in words(offered[one])} for one in BEHIND_A_COLON}
        assert found == BEHIND_A_COLON
        assert words(offered[FILE]) == {"rules.yaml"}
