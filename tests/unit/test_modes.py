"""Modes of any name: each is a verb, and no name of a class, a mode or a service decides anything."""

from pathlib import Path

import click
import pytest
from pydantic import TypeAdapter

from spark_mode.cli.context import CliOptions
from spark_mode.cli.main import cli
from spark_mode.cli.mistakes import explained
from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.service import Service
from spark_mode.lab.verbs import NO_MODES, VERBS
from spark_mode.planning.mode import base_services, mode_text
from spark_mode.planning.request import ModeRequest, Request, mode_requests, to_mode
from spark_mode.planning.resolve import resolve
from spark_mode.session.known_modes import KnownMode, known_modes
from tests.audio_lab import ROOT, RULES, rules_of

LAB = (ROOT / "tests/engine/labs/modes/rules.yaml").read_text()
"""The modes `image` with two profiles and `tune` with its own, and classes that are called otherwise."""


def described(name: str, *profiles: str) -> Service:
    return Service(name=name, image=name, profiles=profiles, config_hash="x")


def changed(old: str, new: str) -> Rules:
    assert old in LAB
    return rules_of(LAB.replace(old, new))


@pytest.mark.parametrize(
    ("word", "profile", "request_"),
    [
        ("image", "flux", ModeRequest(mode="image", profile="flux")),
        ("tune", None, ModeRequest(mode="tune")),
        ("tune:large", None, ModeRequest(mode="tune", variant="large")),
        ("image", "flux:large", ModeRequest(mode="image", profile="flux", variant="large")),
    ],
)
def test_a_mode_of_any_name_is_asked_for_with_its_profile_and_variant(word: str, profile: str | None, request_: Request) -> None:
    assert to_mode(rules_of(LAB), word, profile) == request_


@pytest.mark.parametrize("name", ["a/b", "v1.5", "a:b", "x-y_z"])
def test_the_name_of_a_mode_may_be_no_word(name: str) -> None:
    rules = changed("tune: {class", f"{name}: {{class")
    assert to_mode(rules, name) == ModeRequest(mode=name)
    assert str(to_mode(rules, name)) == name


def test_what_is_typed_for_a_mode_is_what_it_is_called_everywhere() -> None:
    rules = rules_of(LAB)
    assert [str(request) for _, request in mode_requests(rules)] == ["image flux", "image sdxl", "tune"]
    assert [mode_text(rules, "image", "flux"), mode_text(rules, "tune", "tune")] == ["image flux", "tune"]


def test_of_several_profiles_one_has_to_be_named() -> None:
    with pytest.raises(UsageFault, match="image is to run in which profile") as found:
        resolve(ModeRequest(mode="image"), Project(name="lab"), rules_of(LAB))
    assert found.value.hint == "the profiles of image are flux, sdxl"


def test_a_mode_may_name_services_which_then_belong_to_no_other_target() -> None:
    rules = changed("profiles: [tune]", "services: [tune]")
    services = {name: described(name) for name in ("coder", "tune")} | {"flux": described("flux", "flux")}
    project = Project(name="lab", services=services, profiles=("flux",))
    assert base_services(project, rules) == ("coder",)
    assert resolve(to_mode(rules, "tune"), project, rules).named == ("tune",)
    assert set(resolve(to_mode(rules, "image", "flux"), project, rules).services) == {"flux", "coder"}


def test_a_mode_is_its_profiles_or_its_services() -> None:
    for what in ("profiles: [tune], services: [tune]", "profiles: []"):
        with pytest.raises(ConfigurationError, match="modes/tune: give either the profiles that it is, or the services"):
            changed("profiles: [tune]", what)


def test_a_mode_that_is_called_like_a_verb_is_refused_when_the_rules_are_read() -> None:
    for name in (*VERBS, *NO_MODES):
        with pytest.raises(ConfigurationError, match=f'modes/{name}: "{name}" means something to spark-mode already'):
            changed("tune: {class", f"{name}: {{class")


@pytest.mark.parametrize(
    ("record", "request_"),
    [
        ({"verb": "audio", "names": ["omni"], "extra": ["m"]}, ModeRequest(mode="audio", profile="omni", extra=("m",))),
        ({"verb": "training", "names": ["large"], "force": True}, ModeRequest(mode="training", variant="large", force=True)),
        ({"verb": "training", "names": []}, ModeRequest(mode="training")),
    ],
)
def test_a_request_of_the_first_journals_is_read_as_before(record: dict[str, object], request_: Request) -> None:
    read: TypeAdapter[Request] = TypeAdapter(Request)
    assert read.validate_python(record) == request_
    assert read.validate_json(read.dump_json(request_)) == request_


@pytest.mark.parametrize("file", ["rules.yaml", "compose/stand-in.rules.yaml"])
def test_the_command_line_knows_the_modes_of_a_file_and_of_one_that_extends_it(file: str) -> None:
    speech = KnownMode("audio", RULES.modes["audio"].profiles, may_end=False)
    assert known_modes(ROOT / file) == (speech, KnownMode("training", ("training",), may_end=True))


@pytest.mark.parametrize("text", ["", "modes: [a]", "modes: {a: b}", "a: [", "extends: /absent", "extends: [1]", "workloads: 3"])
def test_a_file_that_says_no_modes_as_it_should_has_none_that_hold_the_command_line_up(text: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(text)
    assert all(one.profiles == () for one in known_modes(tmp_path / "rules.yaml"))


def told(rules: str, *arguments: str) -> tuple[str, str | None]:
    """Return the message and the hint that a mistake gets."""
    try:
        cli.main(["--rules", rules, *arguments], prog_name="spark-mode", standalone_mode=False, obj=CliOptions())
    except UsageFault as fault:
        return fault.message, fault.hint
    except click.UsageError as error:
        return explained(error)
    raise AssertionError("no mistake")


def test_help_and_mistakes_know_the_modes_of_the_lab(capsys: pytest.CaptureFixture[str]) -> None:
    rules = str(ROOT / "tests/engine/labs/modes/rules.yaml")
    cli.main(["--rules", rules, "--help"], prog_name="spark-mode", standalone_mode=False, obj=CliOptions())
    said = capsys.readouterr().out
    assert "Modes of this lab" in said
    assert "  image " in said and "  tune " in said and "  audio " not in said
    assert told(rules, "image")[1] == "it is one of flux, sdxl"
    assert told(rules, "flux")[1] == "it is a profile of image: spark-mode image flux"
    assert told(rules, "imag")[0] == 'no such command "imag"; did you mean "image"?'
    assert told(rules, "image", "flux", "--then", "restore")[1] == "it belongs to tune, to, run"
