"""What `spark-mode init` writes is a lab that switches, on the real engine; nobody has touched the file in between."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deep import deep
from tests.engine.conftest import PROJECT
from tests.engine.installed import InstalledLab
from tests.engine.lab import ROOT, RULES, Lab
from tests.engine.labs import LABS


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[InstalledLab]:
    """A lab with nothing running, and without a file."""
    yield from with_nothing_running(InstalledLab(PROJECT, tmp_path, None))


@pytest.fixture
def installed(program: Path, tmp_path: Path) -> Iterator[InstalledLab]:
    """The same, used by the command of an installed package."""
    yield from with_nothing_running(InstalledLab(PROJECT, tmp_path, program))


def with_nothing_running(one: InstalledLab) -> Iterator[InstalledLab]:
    one.down()
    yield one
    one.down()


def mode(lab: Lab) -> str:
    found: str = lab.run("status", "--format", "json").json["mode"]
    return found


def led_on(lab: InstalledLab, name: str) -> str:
    """Have a first file written for a lab that has none, and enter the next command that is told; return what that is."""
    shutil.copytree(LABS / name, lab.folder)
    *_, last = lab.enter("spark-mode init --yes").out.splitlines()
    lab.enter(following := last.removeprefix("next: "))
    return following


def test_a_page_with_its_models_and_a_run_are_switched_both_ways_by_what_init_wrote(bare: InstalledLab) -> None:
    assert led_on(bare, "first_page") == "spark-mode plan finetune"
    for line, services in (
        ("spark-mode ollama", {"ollama", "open-webui"}),
        ("spark-mode finetune", {"finetune"}),
        ("spark-mode ollama --yes", {"ollama", "open-webui"}),
    ):
        bare.enter(line)
        assert set(bare.running()) == services, line
    assert mode(bare) == "ollama"
    assert bare.keys <= 120


@deep
def test_servers_that_do_not_fit_together_and_a_run_are_switched_both_ways_by_what_init_wrote(bare: InstalledLab) -> None:
    assert led_on(bare, "first_servers") == "spark-mode plan chat"
    for line, services in (
        ("spark-mode chat", {"chat", "page"}),
        ("spark-mode coder", {"coder", "page"}),
        ("spark-mode tune", {"finetune"}),
        ("spark-mode chat --yes", {"chat", "page"}),
    ):
        bare.enter(line)
        assert set(bare.running()) == services, line
    assert mode(bare) == "chat"
    assert bare.keys <= 120


def test_two_projects_are_switched_as_one_lab_by_what_init_wrote(bare: InstalledLab) -> None:
    models = Lab(f"{PROJECT}-models", bare.folder.parent)
    shutil.copytree(LABS / "first_two/speech", bare.folder)
    shutil.copytree(LABS / "first_two/models", bare.folder.with_name(models.project))
    models.down()
    try:
        *_, last = bare.enter(f"spark-mode init --yes . ../{models.project}").out.splitlines()
        bare.enter(last.removeprefix("next: "))
        for line, services in (
            ("spark-mode speech", {"speech"}),
            ("spark-mode chat", {"chat"}),  # all of one class, by the word in their image's name
            ("spark-mode tune", {"finetune"}),
            ("spark-mode restore --yes", {"chat"}),
        ):
            bare.enter(line)
            assert {*bare.running(), *models.running()} == services, line
        assert bare.keys - len(models.project) <= 160
    finally:
        models.down()


def test_the_example_of_an_installation_does_all_that_the_demo_shows(installed: InstalledLab) -> None:
    installed.folder.mkdir()
    assert installed.enter("spark-mode help headroom").out.startswith("Headroom: ")
    said = installed.enter("spark-mode init --example").out
    installed.folder /= "audio-lab"
    installed.environment |= dict(re.findall(r"(COMPOSE_FILE|SPARK_MODE_RULES)=(\S+)", said))
    installed.environment["COMPOSE_PROJECT_NAME"] = PROJECT  # beside others on this engine
    demo = [line.split(maxsplit=2)[1:] for line in (ROOT / "scripts/demo.sh").read_text().splitlines() if line.startswith("run ")]
    assert said.splitlines()[-1].strip() == f"spark-mode {demo[0][1]}"
    status, active = [], []
    for code, words in demo:
        outcome = installed.run(*words.split(), expect=int(code))
        status += [outcome.out] if words == "status" else []
        active += [set(installed.running())] if words.startswith(("audio", "training")) else []
    assert active == [{"omni"}, {"omni"}, {"training"}, {"ollama", "whisper", "chatterbox"}]
    assert ["audio omni" in status[0], "training" in status[1]] == [True, True]
    assert installed.running() == {}


@deep
def test_the_audio_lab_is_switched_both_ways_by_what_init_wrote(lab: Lab, tmp_path: Path) -> None:
    first, small = tmp_path / "first.yaml", tmp_path / "stand-in.rules.yaml"
    lab.files, stand_ins, lab.rules = lab.files[:1], lab.files, None
    lab.run("init", "--yes", "--out", str(first))
    small.write_text((ROOT / RULES).read_text().replace("../rules.yaml", first.name))
    lab.files, lab.rules = stand_ins, str(small)
    for words, services in (
        (("audio", "xtts"), {"ollama", "whisper", "xtts"}),
        (("training",), {"training"}),
        (("audio", "omni", "--yes"), {"omni"}),
    ):
        lab.run(*words)
        assert set(lab.running()) == services, words
    assert mode(lab) == "audio omni"
