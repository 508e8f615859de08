"""`docker spark`, through the real `docker`: what it passes on, what it completes, and how it comes and goes."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deep import DEEP, deep
from tests.engine.lab import ROOT, Lab, Outcome
from tests.engine.outside import furnish
from tests.hostile import lay_traps

MARK = "Installed by: spark-mode plugin install"


@pytest.fixture
def plugged(lab: Lab, tmp_path: Path) -> Iterator[Lab]:
    """A lab with the plugin in a configuration of Docker of its own."""
    lab.environment["DOCKER_CONFIG"] = str(tmp_path / "docker")
    lab.run("plugin", "install")
    yield lab
    lab.run("plugin", "uninstall")
    assert not (tmp_path / "docker/cli-plugins/docker-spark").exists()


def docker(lab: Lab, *arguments: str, folder: Path = ROOT) -> Outcome:
    """Use the real `docker` as the lab's user."""
    done = subprocess.run(["docker", *arguments], check=False, cwd=folder, env=lab.environment, capture_output=True, text=True)
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_dockers_options_before_the_name_count(plugged: Lab) -> None:
    lab = plugged.arguments("plan", "training", "--format", "json")[3:]
    said = docker(plugged, "-c", "default", "spark", *lab).json
    assert (said["request"], said["observed"]) == ("training", True)
    assert docker(plugged, "--host", "unix:///nowhere.sock", "spark", *lab).json["observed"] is False
    assert docker(plugged, "--host", "tcp://far:2375", "spark", *lab).code == 3


@pytest.mark.parametrize(
    "search_path",
    [pytest.param("", marks=deep, id="no PYTHONPATH"), pytest.param(":", id="a PYTHONPATH with the working directory in it")],
)
def test_docker_help_runs_nothing_of_the_folder_it_is_typed_in(plugged: Lab, tmp_path: Path, search_path: str) -> None:
    sprung = lay_traps(tmp_path)
    plugged.environment["PYTHONPATH"] = search_path
    assert "Decide what runs on a DGX Spark" in docker(plugged, "--help", folder=tmp_path).out
    assert docker(plugged, "spark", "--version", folder=tmp_path).out.startswith("spark-mode, version")
    assert not sprung.exists(), sprung.read_text()


def test_the_exit_code_and_the_name_of_the_command_are_passed_on(plugged: Lab) -> None:
    wrong = docker(plugged, "spark", *plugged.arguments("audio", "omnii")[3:])
    assert wrong.code == 2
    assert 'did you mean "omni"' in wrong.err
    assert "Usage: docker spark" in docker(plugged, "spark", "audio", "--help").out


WORDS: tuple[tuple[tuple[str, ...], set[str]], ...] = (
    (("",), {"audio", "training", "status", "gate"}),
    (("st",), {"status", "stop"}),
    (("audio", ""), {"omni", "xtts"}),
    (("audio", "o"), {"omni"}),
    (("up", "whis"), {"whisper"}),
    (("plan", ""), {"audio", "training"}),
    (("budget", "training:l"), {"training:large"}),
    (("training:",), {"training:small", "training:large"}),
)


def test_docker_completes_what_the_lab_knows(plugged: Lab) -> None:
    for words, expected in WORDS if DEEP else WORDS[::6]:
        *lines, directive = docker(plugged, "__complete", "spark", *words).out.strip().splitlines()
        found = {line.split("\t")[0] for line in lines}
        assert expected <= found
        assert all(one.startswith(words[-1]) for one in found), words
        assert directive == ":4"


def completed_by_bash(lab: Lab, typed: str, folder: Path, pieces: tuple[str, str] = ("audio", "om")) -> Outcome:
    """Return what bash offers after `typed audio om`, or after two other pieces as it parts words."""
    asked = f'COMP_WORDS=({typed} {" ".join(pieces)}); COMP_CWORD=2; _spark_mode_completion {typed}; echo "${{COMPREPLY[@]}}"'
    read = ["bash", "-c", f"{lab.run('completion', 'bash').out}\n{asked}"]
    done = subprocess.run(read, check=False, cwd=folder, env=lab.environment, capture_output=True, text=True)
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_bash_completes_the_plain_command(lab: Lab) -> None:
    assert completed_by_bash(lab, "spark-mode", ROOT, ("training", ":")).out.split() == ["small", "mid", "large"]


@pytest.mark.parametrize("typed", [pytest.param("spark-mode", marks=deep), "./spark-mode"])
def test_completion_runs_nothing_of_the_folder_it_is_typed_in(lab: Lab, tmp_path: Path, typed: str) -> None:
    furnish(tmp_path, lab.project)
    sprung = lay_traps(tmp_path)
    lab.environment["PYTHONPATH"] = ":"
    completed = completed_by_bash(lab, typed, tmp_path)
    assert completed.out.split() == ["omni"], completed.err
    assert not sprung.exists(), sprung.read_text()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script_that_they_can_read(lab: Lab, shell: str) -> None:
    script = lab.run("completion", shell).out
    assert f"_SPARK_MODE_COMPLETE={shell}_complete" in script
    assert f"{sys.executable} -P -E -m spark_mode.cli" in script, "what is run is not found by its name"
    if shutil.which(shell):
        read = subprocess.run([shell, "-n"], check=False, input=script, capture_output=True, text=True)
        assert read.returncode == 0, read.stderr


def test_what_is_not_ours_is_neither_overwritten_nor_removed(lab: Lab, tmp_path: Path) -> None:
    lab.environment["DOCKER_CONFIG"] = str(tmp_path)
    path = tmp_path / "cli-plugins/docker-spark"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\necho somebody else\n")
    for act in ("install", "uninstall"):
        assert "is not from spark-mode" in lab.run("plugin", act, expect=3).err
    assert "somebody else" in path.read_text()
    path.unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(f"# {MARK}\n")
    path.symlink_to(elsewhere)
    assert "is not from spark-mode" in lab.run("plugin", "install", expect=3).err
    assert elsewhere.read_text() == f"# {MARK}\n"


def test_installing_twice_is_as_good_as_once_and_leaves_one_file(lab: Lab, tmp_path: Path) -> None:
    lab.environment["DOCKER_CONFIG"] = str(tmp_path)
    for _ in range(2):
        lab.run("plugin", "install")
    assert [path.name for path in (tmp_path / "cli-plugins").iterdir()] == ["docker-spark"]
    assert "is removed" in lab.run("plugin", "uninstall").out
    assert "was not there" in lab.run("plugin", "uninstall").out
