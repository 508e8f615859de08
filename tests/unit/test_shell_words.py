"""What shells ask and are told: a word with a colon is one, though bash makes pieces of it."""

from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import pytest
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from spark_mode.cli.bash_words import BashWords, joined
from spark_mode.cli.completion import completion_script
from spark_mode.cli.context import VARIABLE, CliOptions
from spark_mode.cli.main import cli
from spark_mode.lab.verbs import VERBS
from tests.known_plugin import configuration

COMPOSE = """\
services: {ollama: {image: ollama/ollama}, open-webui: {image: page, depends_on: [ollama]}, finetune: {image: tune}}
"""
RULES = """\
workloads:
  llama3.1:8b: {class: llm, footprint: 5GB, host: ollama, model: "llama3.1:8b"}
  finetune: {class: tuning, footprint: 60GB}
hosts: {ollama: {service: ollama}}
"""


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ("audio omni", ["audio", "omni"]),
        ("training : large", ["training:large"]),
        ("up llama3.1 : 8b whisper", ["up", "llama3.1:8b", "whisper"]),
        ("training :", ["training:"]),
        ("up a : b c : d", ["up", "a:b", "c:d"]),
        ("training:large", ["training:large"]),
    ],
)
def test_what_bash_parts_at_colons_is_one_word(pieces: str, words: list[str]) -> None:
    assert joined(pieces.split()) == words


@pytest.mark.parametrize(
    ("typed", "asked", "told"),
    [
        ("training : l", "training:l", "plain,large"),
        ("training :", "training:", "plain,large"),
        ("training:l", "training:l", "plain,training:large"),  # where somebody has told bash that colons part nothing
    ],
)
def test_bash_is_told_what_comes_after_the_colon_where_it_parts_words_there(
    typed: str, asked: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = ["spark-mode", *typed.split()]
    monkeypatch.setenv("COMP_WORDS", "\n".join(pieces))
    monkeypatch.setenv("COMP_CWORD", str(len(pieces) - 1))
    bash = BashWords(cli, {}, "spark-mode", VARIABLE)
    assert bash.get_completion_args() == ([], asked)
    assert bash.format_completion(CompletionItem("training:large")) == told


def test_bash_is_answered_by_us() -> None:
    assert get_completion_class("bash") is BashWords


def test_zsh_gets_what_it_needs_to_complete_where_nothing_of_that_was_called_yet() -> None:
    script = completion_script("zsh", cli)
    assert script.startswith("#compdef spark-mode\n"), "what fpath has is read by its first line"
    before, _, after = script.partition("compinit -i; }\n")
    assert after.lstrip().startswith("compdef _spark_mode_completion spark-mode")
    assert before.count("compinit") == 1, "and no other call of it, such as one where the function is loaded from fpath"


class Terminal(StringIO):
    """Standard error that somebody looks at."""

    def isatty(self) -> bool:
        return True


def test_nothing_is_written_on_the_terminal_in_the_middle_of_somebodys_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with redirect_stderr(Terminal()) as terminal:
        found = ShellComplete(cli, {"obj": CliOptions()}, "spark-mode", VARIABLE).get_completions(["up"], "")
    assert (found, terminal.getvalue()) == ([], "")


def offered(*words: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return what may come next in the lab of README.md, which has services that no workload describes."""
    (folder / "compose.yaml").write_text(COMPOSE)
    (folder / "rules.yaml").write_text(RULES)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DOCKER_CONFIG", configuration())
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    found = ShellComplete(cli, {"obj": CliOptions()}, "spark-mode", VARIABLE).get_completions(list(words), "")
    return {str(one.value) for one in found}


@pytest.mark.parametrize("verb", ["up", "stop", "budget"])
def test_what_no_workload_describes_is_completed_as_well(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(verb, folder=tmp_path, monkeypatch=monkeypatch) == {"finetune", "llama3.1:8b", "ollama", "open-webui"}


def test_a_command_counts_as_a_workload_that_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered("run", "--as", folder=tmp_path, monkeypatch=monkeypatch) == {"finetune"}


def test_help_is_completed_with_commands_and_with_words_of_the_output() -> None:
    found = ShellComplete(cli, {"obj": CliOptions()}, "spark-mode", VARIABLE).get_completions(["help"], "")
    values = {str(one.value) for one in found}
    assert values >= {*VERBS, "headroom", "oom-risk", "long-run"}
    assert not any(" " in one for one in values)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("", "models spark1 spark2 all"), ("spark1,s", "spark1,spark1 spark1,spark2"), ("m", "models"), ("x", "")],
)
def test_machines_are_completed_with_those_of_fleet_yaml(
    typed: str, offered: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fleet.yaml").write_text("nodes: {spark1: , spark2: }\ngroups: {models: [spark1]}\n")
    monkeypatch.setenv("SPARK_MODE_FLEET", str(tmp_path / "fleet.yaml"))
    found = ShellComplete(cli, {"obj": CliOptions()}, "spark-mode", VARIABLE).get_completions(["-H"], typed)
    assert sorted(str(one.value) for one in found) == sorted(offered.split())
