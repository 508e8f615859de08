"""What `spark-mode init` writes is a lab that switches, on the real engine; nobody has touched the file in between."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deep import deep
from tests.engine.conftest import PROJECT
from tests.engine.installed import InstalledLab, install
from tests.engine.lab import ROOT, RULES, Lab
from tests.engine.labs import LABS

pytestmark = pytest.mark.xdist_group("first rules")  # whose tests share an installation


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an installed package."""
    return install(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def installed(program: Path, tmp_path: Path) -> Iterator[InstalledLab]:
    """A lab with nothing running, and without a file."""
    one = InstalledLab(PROJECT, tmp_path, program)
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


def test_a_page_with_its_models_and_a_run_are_switched_both_ways_by_what_init_wrote(installed: InstalledLab) -> None:
    assert led_on(installed, "first_page") == "spark-mode plan finetune"
    for line, services in (
        ("spark-mode ollama", {"ollama", "open-webui"}),
        ("spark-mode finetune", {"finetune"}),
        ("spark-mode ollama --yes", {"ollama", "open-webui"}),
    ):
        installed.enter(line)
        assert set(installed.running()) == services, line
    assert mode(installed) == "ollama"
    assert installed.keys <= 120


@deep
def test_servers_that_do_not_fit_together_and_a_run_are_switched_both_ways_by_what_init_wrote(installed: InstalledLab) -> None:
    assert led_on(installed, "first_servers") == "spark-mode plan chat"
    for line, services in (
        ("spark-mode chat", {"chat", "page"}),
        ("spark-mode coder", {"coder", "page"}),
        ("spark-mode tune", {"finetune"}),
        ("spark-mode chat --yes", {"chat", "page"}),
    ):
        installed.enter(line)
        assert set(installed.running()) == services, line
    assert mode(installed) == "chat"
    assert installed.keys <= 120


def test_two_projects_are_switched_as_one_lab_by_what_init_wrote(installed: InstalledLab) -> None:
    models = Lab(f"{PROJECT}-models", installed.folder.parent)
    shutil.copytree(LABS / "first_two/speech", installed.folder)
    shutil.copytree(LABS / "first_two/models", installed.folder.with_name(models.project))
    models.down()
    try:
        *_, last = installed.enter(f"spark-mode init --yes . ../{models.project}").out.splitlines()
        installed.enter(last.removeprefix("next: "))
        for line, services in (
            ("spark-mode speech", {"speech"}),
            ("spark-mode chat", {"chat"}),  # all of one class, by the word in their image's name
            ("spark-mode coder", {"coder"}),
            ("spark-mode tune", {"finetune"}),
            ("spark-mode restore --yes", {"coder"}),
        ):
            installed.enter(line)
            assert {*installed.running(), *models.running()} == services, line
        assert installed.keys - len(models.project) <= 160
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
    modes = []
    for code, words in demo:
        installed.run(*words.split(), expect=int(code))
        modes += [mode(installed)] if words.startswith(("audio", "training")) else []
    assert modes == ["audio omni", "audio omni", "training", "audio chatterbox"]
    assert installed.running() == {}


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
