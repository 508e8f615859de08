"""What a mistake on the command line is told: a hint that leads on when it is followed, and never one that agrees to a loss."""

import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from spark_mode.cli.context import CliOptions
from spark_mode.cli.main import cli
from spark_mode.cli.mistakes import explained
from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.planning.observed import Observed
from spark_mode.planning.planner import plan
from tests.audio_lab import CAPACITY, PROJECT, ROOT, RULES, read_cases, request

RULES_OPTION = ("--rules", str(ROOT / "rules.yaml"))


def told(*arguments: str) -> tuple[str, str | None]:
    """Return the message and the hint that a mistake gets."""
    try:
        cli.main([*RULES_OPTION, *arguments], prog_name="spark-mode", standalone_mode=False, obj=CliOptions())
    except UsageFault as fault:
        return fault.message, fault.hint
    except click.UsageError as error:
        return explained(error)
    raise AssertionError("no mistake")


class Mistake(NamedTuple):
    """What was typed, what is said of it, and what leads on."""

    typed: str
    told: str
    hint: str


CASES = {part: [Mistake(**case) for case in cases] for part, cases in read_cases("mistakes.yaml").items()}


def test_a_mistake_of_the_command_line_is_told_what_was_meant() -> None:
    said = {case.typed: told(*shlex.split(case.typed)) for case in CASES["words"]}
    assert said == {case.typed: (case.told, case.hint) for case in CASES["words"]}


@pytest.mark.parametrize("case", CASES["names"], ids=[case.typed for case in CASES["names"]])
def test_a_name_that_the_lab_does_not_have_there_is_told_what_was_meant(case: Mistake) -> None:
    with pytest.raises(UsageFault) as fault:
        plan(request(case.typed), PROJECT, RULES, Observed(complete=False), CAPACITY)
    assert (fault.value.message, fault.value.hint) == (case.told, case.hint)


def test_every_command_in_a_hint_can_be_typed() -> None:
    hints = dict.fromkeys(case.hint for case in (*CASES["words"], *CASES["names"]))
    lines = [line for hint in hints for line in re.findall(r"spark-mode ([^,;]+)", hint) if not re.match(r"-|.*[A-Z]{4}", line)]
    assert len(lines) > 30
    for line in lines:
        require_understood(line.split())


def require_understood(words: Sequence[str]) -> None:
    """Raise where a line is a mistake itself: its verb, its options, and the words that a mode or a verb takes."""
    root = cli.make_context("spark-mode", [*RULES_OPTION, words[0]])
    command = cli.get_command(root, words[0])
    assert command
    with suppress(click.exceptions.Exit):  # --help, which shows it and leaves
        command.make_context(words[0], [*words[1:]], parent=root)


def test_no_hint_of_a_mistake_agrees_to_a_loss() -> None:
    assert [case for cases in CASES.values() for case in cases if re.search(r"(-y|--yes|--force)\b", case.hint)] == []


COMPOSE = """#!/bin/sh
case "$*" in
*--hash*) printf 'page 1\\nside 1\\n' ;;
*version*) echo 2.40.3 ;;
*) echo '{"name": "lab", "services": {"page": {"image": "it", "profiles": ["chat"]}, "side": {"image": "it"}}}' ;;
esac
"""


@pytest.mark.parametrize(("word", "kind"), [("chat", "profile"), ("side", "service")])
@pytest.mark.parametrize("before", [(), ("plan",)])
def test_a_name_that_only_the_compose_files_have_is_told_what_adds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, kind: str, before: tuple[str, ...]
) -> None:
    (tmp_path / "docker").write_text(COMPOSE)
    (tmp_path / "docker").chmod(0o755)
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    (tmp_path / "rules.yaml").write_text("workloads: {page: 1GB}\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    line = " ".join((*before, "up", word))
    assert told("--rules", "rules.yaml", *before, word)[1] == f"it is a {kind} of the Compose files: spark-mode {line}"


def test_a_mistake_of_which_another_tool_knows_the_word_needs_no_lab() -> None:
    with pytest.raises(UsageFault) as fault:
        cli.main(["--rules", "/absent.yaml", "start", "omni"], prog_name="spark-mode", standalone_mode=False, obj=CliOptions())
    assert fault.value.hint == "here that is: spark-mode up omni"


@pytest.mark.parametrize("before", [(), ("plan",)])
def test_a_plain_command_of_the_lab_is_told_what_runs_it(before: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("workloads: {tune: {class: tuning, footprint: 1GB, command: true}}\n")
    hint = f"it is a plain command: spark-mode {' '.join((*before, 'run'))} --as tune -- COMMAND"
    assert told("--rules", str(tmp_path / "rules.yaml"), *before, "tune")[1] == hint


@pytest.mark.parametrize("line", [("omni",), ("plan", "omni"), ("audio", "omni")])
def test_a_word_that_may_be_a_mode_is_told_why_the_modes_are_not_known(line: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"/absent.yaml: No such file"):
        cli.main(["--rules", "/absent.yaml", *line], prog_name="spark-mode", standalone_mode=False, obj=CliOptions())


def test_a_word_that_is_near_a_command_is_told_so_without_a_lab_too() -> None:
    with pytest.raises(click.UsageError, match='no such command "statsu"; did you mean "status"'):
        cli.main(["--rules", "/absent.yaml", "statsu"], prog_name="spark-mode", standalone_mode=False, obj=CliOptions())


@pytest.mark.parametrize(
    "line", [("audio", "omni", "--then", "restore"), ("plan", "audio", "omni", "--then=restore"), ("status", "--then")]
)
def test_an_option_of_another_verb_is_told_whose_it_is(line: tuple[str, ...]) -> None:
    assert told(*line) == ("No such option '--then'", "it belongs to training, to, run")


@pytest.mark.parametrize("line", [("status", "--rules"), ("audio", "omni", "-f"), ("-C",)])
def test_an_option_without_its_value_is_told_so_wherever_it_stands(line: tuple[str, ...]) -> None:
    assert told(*line)[0] == f"Option '{line[-1]}' requires an argument."
