"""The demo has a project of its own, takes down nothing of anybody else's, and does not run twice."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "scripts/demo.sh"
DOCKER = """#!/bin/sh
echo "$*" >> "$TOLD"
case $1 in ps) echo "$RUNNING" ;; esac
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a `docker` that does nothing was told, a line each; containers of RUNNING run. The demo is a copy."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(DEMO, tmp_path / "scripts")
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    monkeypatch.setenv("RUNNING", "")
    return tmp_path / "told"


def demo(machine: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", str(machine.parent / "scripts/demo.sh")], check=False, capture_output=True, text=True, timeout=60
    )


def test_a_demo_that_runs_already_is_refused_and_left_alone(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNING", "3f2a")
    refused = demo(machine)
    assert refused.returncode == 1
    assert "runs already (the project spark-mode-demo)" in refused.stderr
    assert machine.read_text().splitlines() == ["ps --quiet --filter label=com.docker.compose.project=spark-mode-demo"]


def test_of_two_demos_that_begin_at_once_in_one_directory_the_second_is_refused(machine: Path) -> None:
    with (machine.parent / "scripts/demo.sh").open() as script:
        fcntl.flock(script, fcntl.LOCK_EX)
        refused = demo(machine)
    assert refused.returncode == 1
    assert "runs already, from this directory" in refused.stderr
    assert not machine.exists(), "nothing was asked"


def test_the_demo_names_its_own_project_wherever_it_acts() -> None:
    text = DEMO.read_text()
    assert "PROJECT=spark-mode-demo\n" in text
    assert text.count("docker compose") == text.count('docker compose -p "$PROJECT"') + text.count("docker compose -p $PROJECT")
    assert '"$spark_mode" -p "$PROJECT"' in text
