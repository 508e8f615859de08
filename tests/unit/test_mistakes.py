"""What a mistake on the command line is told: a hint that leads on when it is followed, and never one that agrees to a loss."""

from pathlib import Path

import click
import pytest

from spark_mode.cli.context import CliOptions
from spark_mode.cli.main import cli
from spark_mode.cli.mistakes import explained
from spark_mode.errors import ConfigurationError, UsageFault
from tests.audio_lab import ROOT

RULES = ("--rules", str(ROOT / "rules.yaml"))


def told(*arguments: str) -> tuple[str, str | None]:
    """Return the message and the hint that a mistake gets."""
    try:
        cli.main([*RULES, *arguments], prog_name="spark-mode", standalone_mode=False, obj=CliOptions())
    except UsageFault as fault:
        return fault.message, fault.hint
    except click.UsageError as error:
        return explained(error)
    raise AssertionError("no mistake")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("omni", "it is a profile of audio: spark-mode audio omni"),
        ("audio:omni", "it is a profile of audio: spark-mode audio omni"),
        ("llama3.1:8b", "it is a workload: spark-mode up llama3.1:8b"),
        ("whisper", "it is a workload: spark-mode up whisper"),
        ("tetris", "it is a workload: spark-mode up tetris"),
        ("idle", "nothing runs then: spark-mode stop"),
        ("nonsense", "see spark-mode --help"),
    ],
)
def test_a_word_of_the_lab_that_is_no_command_is_told_the_command_that_takes_it(word: str, hint: str) -> None:
    assert told(word) == (f'no such command "{word}"', hint)


@pytest.mark.parametrize("before", [(), ("plan",)])
def test_a_plain_command_of_the_lab_is_told_what_runs_it(before: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("workloads: {tune: {class: tuning, footprint: 1GB, command: true}}\n")
    hint = f"it is a plain command: spark-mode {' '.join((*before, 'run'))} --as tune -- COMMAND"
    assert told("--rules", str(tmp_path / "rules.yaml"), *before, "tune")[1] == hint


def test_a_word_that_is_near_a_command_is_told_that_command() -> None:
    assert told("statsu") == ('no such command "statsu"; did you mean "status"?', "see spark-mode --help")


@pytest.mark.parametrize("line", [("omni",), ("plan", "omni"), ("audio", "omni")])
def test_a_word_that_may_be_a_mode_is_told_why_the_modes_are_not_known(line: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"/absent.yaml: No such file"):
        cli.main(["--rules", "/absent.yaml", *line], prog_name="spark-mode", standalone_mode=False, obj=CliOptions())


def test_a_word_that_is_near_a_command_is_told_so_without_a_lab_too() -> None:
    with pytest.raises(click.UsageError, match='no such command "statsu"; did you mean "status"'):
        cli.main(["--rules", "/absent.yaml", "statsu"], prog_name="spark-mode", standalone_mode=False, obj=CliOptions())


def test_a_plan_of_a_word_that_is_no_switch_is_told_the_plan_that_takes_it() -> None:
    said = '"omni" is not a switch; there are audio, training, to, up, stop, run, restore'
    assert told("plan", "omni") == (said, "it is a profile of audio: spark-mode plan audio omni")
    assert told("plan", "trainng")[0].startswith('"trainng" is not a switch; did you mean "training"?')


@pytest.mark.parametrize("before", [(), ("plan",)])
def test_what_can_follow_is_said_where_it_is_missing(before: tuple[str, ...]) -> None:
    assert told(*before, "audio")[1] == "it is one of omni, chatterbox, xtts, qwen, f5"


def test_what_can_follow_plan_is_a_switch() -> None:
    assert told("plan")[1] == "it is one of audio, training, to, up, stop, run, restore"


@pytest.mark.parametrize(
    "line", [("audio", "omni", "--then", "restore"), ("plan", "audio", "omni", "--then=restore"), ("status", "--then")]
)
def test_an_option_of_another_verb_is_told_whose_it_is(line: tuple[str, ...]) -> None:
    assert told(*line) == ("No such option '--then'", "it belongs to training, to, run")


@pytest.mark.parametrize("line", [("status", "--rules"), ("audio", "omni", "-f"), ("-C",)])
def test_an_option_without_its_value_is_told_so_wherever_it_stands(line: tuple[str, ...]) -> None:
    assert told(*line)[0] == f"Option '{line[-1]}' requires an argument."


def test_an_option_of_a_verb_before_the_verb_is_told_that_it_goes_after() -> None:
    assert told("--hold", "training") == (
        "No such option '--hold'",
        "it goes after the verb; it belongs to audio, training, to, up",
    )


@pytest.mark.parametrize("wrong", ["--yess", "--forse", "--force-it", "--ye"])
def test_no_advice_agrees_to_a_loss(wrong: str) -> None:
    assert told("audio", "omni", wrong) == (f"No such option '{wrong}'", "see spark-mode audio --help")


def test_another_option_is_told_the_nearest() -> None:
    assert told("audio", "omni", "--dry-rum")[0] == "No such option '--dry-rum'; did you mean \"--dry-run\"?"
