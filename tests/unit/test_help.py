"""What `--help` and `help` say: what there is, in groups and with examples that can be typed, and what each word means."""

import json
import re
from pathlib import Path
from typing import get_args

import click
import pytest
from click.testing import CliRunner

from spark_mode.cli.context import CliOptions
from spark_mode.cli.glossary import glossary, meaning
from spark_mode.cli.main import EXAMPLES, cli
from spark_mode.cli.verb import Verb
from spark_mode.errors import UsageFault
from spark_mode.journal.records import Outcome
from spark_mode.lab.verbs import GROUPS, NO_MODES, VERBS
from spark_mode.planning.budget import Compute, Decision, Verdict
from spark_mode.planning.plan import Step
from tests.audio_lab import ROOT

RULES = ("--rules", str(ROOT / "rules.yaml"))


def shown(*arguments: str) -> str:
    """Return what a command prints."""
    done = CliRunner().invoke(cli, [*RULES, *arguments], obj=CliOptions(), catch_exceptions=False, prog_name="spark-mode")
    assert done.exit_code == 0, done.output
    return done.output


def below(title: str, text: str) -> list[str]:
    """Return the first words of the lines below a title."""
    section = re.search(rf"^{title}:\n((?:  .*\n?)+)", text, re.MULTILINE)
    assert section, title
    return re.findall(r"^  (\S+)", section[1], re.MULTILINE)


@pytest.mark.parametrize("title", GROUPS)
def test_the_verbs_stand_in_groups(title: str) -> None:
    assert below(title, shown("--help")) == list(GROUPS[title])


def test_the_verbs_come_before_the_options_and_the_modes_of_the_lab_first() -> None:
    text = shown("--help")
    places = [text.index(f"\n{title}:") for title in ("Examples", "Modes of this lab", *GROUPS, "Options")]
    assert places == sorted(places)


def test_no_word_of_help_is_broken_at_its_hyphen() -> None:
    done = CliRunner(env={"COLUMNS": "60"}).invoke(cli, ["init", "--help"], obj=CliOptions(), prog_name="spark-mode")
    assert " stand-ins of" in " ".join(done.output.split())
    assert not re.search(r"\w-$|\N{NON-BREAKING HYPHEN}", done.output, re.MULTILINE)


def test_the_examples_have_the_names_of_the_lab() -> None:
    assert "spark-mode plan training  " in shown("--help")
    assert "spark-mode up whisper  " in shown("up", "--help")
    assert "spark-mode training --then restore  " in shown("training", "--help")


def test_where_there_is_no_lab_the_examples_have_names_in_capitals() -> None:
    done = CliRunner().invoke(cli, ["--rules", "/absent.yaml", "up", "-h"], obj=CliOptions(), prog_name="spark-mode")
    assert "spark-mode up NAME  " in done.output


def test_where_there_is_no_lab_help_says_how_to_come_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("COMPOSE_FILE", raising=False)
    monkeypatch.delenv("SPARK_MODE_RULES", raising=False)
    said = CliRunner().invoke(cli, ["--help"], obj=CliOptions(), prog_name="spark-mode").output
    assert "none here: `spark-mode init` writes a first rules.yaml" in " ".join(said.split())


def test_every_example_can_be_typed() -> None:
    root = cli.make_context("spark-mode", [*RULES, "status"])
    commands = [cli.get_command(root, name) for name in cli.list_commands(root)]
    lines = [*EXAMPLES, *(line for one in commands if isinstance(one, Verb) for line in one.examples)]
    assert len(lines) > 30
    for line in lines:
        verb, *words = line.format_map(CliOptions.of(root.params).names()).split()
        command = cli.get_command(root, verb)
        assert command, line
        command.make_context(verb, [word for word in words if word not in ("-p", "--format", "json")], parent=root)


def test_help_of_a_command_is_what_its_own_option_shows() -> None:
    assert shown("help", "history") == shown("history", "--help")
    assert shown("help", "guard", "install").startswith("Usage: spark-mode guard install ")
    assert shown("help") == shown("--help") + "\n" * (not shown("--help").endswith("\n"))


def test_help_of_a_word_is_what_the_glossary_says_of_it_without_what_is_for_authors() -> None:
    said = shown("help", "headroom")
    assert said.startswith("Headroom: what must stay free")
    assert json.loads(shown("help", "hold", "--format", "json"))["meaning"].startswith("a reservation: ")
    assert [said for said in glossary().values() if re.search(r"`\w*/|\.py|\*\*|\n| \.", said)] == []


def test_a_word_that_is_a_command_as_well_is_explained_after_it() -> None:
    assert shown("help", "plan").splitlines()[-1].startswith("Plan: ")


@pytest.mark.parametrize("typed", ["long run", "Long-Run", "long_runs", "LONG RUN"])
def test_a_word_is_found_however_it_is_written(typed: str) -> None:
    found = meaning(typed)
    assert found
    assert found[0] == "Long run"


def test_every_word_for_a_verdict_a_step_and_an_outcome_is_explained() -> None:
    actions = [step.model_fields["action"].default for step in get_args(Step)]
    words = (*get_args(Verdict), *get_args(Outcome), *NO_MODES, *actions, "compute", "decision", "planned", "measured", "grown")
    assert [word for word in words if meaning(word) is None and word not in VERBS] == []
    assert {*get_args(Compute), *get_args(Decision)} <= {*re.findall(r"`([\w-]+)`|$", " ".join(glossary().values())), "yes", "no"}


def test_a_word_of_the_lab_is_told_how_to_ask_for_it() -> None:
    assert shown("help", "omni") == "omni: it is a profile of audio: spark-mode audio omni\n"


def test_another_word_is_told_the_nearest_that_is_known() -> None:
    with pytest.raises(UsageFault) as fault:
        shown("help", "hedroom")
    assert (fault.value.message, fault.value.hint) == ('nothing is known of "hedroom"', "spark-mode help headroom")


def test_a_switch_has_only_the_options_that_mean_something_to_it() -> None:
    root = cli.make_context("spark-mode", [*RULES, "status"])
    starts = {"--timeout", "--no-restore", "--force", "--drop-caches"}
    has = {"stop": set[str](), "restore": starts, "up": {*starts, "--with", "--hold"}, "run": starts - {"--timeout"}}
    for verb, expected in has.items():
        found = {name for one in command(root, verb).params for name in one.opts}
        assert found & {*starts, "--with", "--hold"} == expected, verb
        assert found >= {"--dry-run", "--yes", "--no-input", "--wait"}


def command(root: click.Context, name: str) -> click.Command:
    found = cli.get_command(root, name)
    assert found
    return found
