"""The page's unit: it runs what was asked for, for this user alone, and a switch outlives it."""

import configparser
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spark_mode.cli import page_unit
from spark_mode.cli.main import cli
from spark_mode.cli.taking_away import parts
from spark_mode.enforcement.unit import RUNNING
from spark_mode.errors import ConfigurationError
from spark_mode.lab.files import LabFiles

LAB = LabFiles(compose=("/srv/my lab/compose.yaml",), rules="/srv/my lab/rules.yaml", project_name="mine")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a machine that systemd runs; `systemctl` writes down what it is told."""
    (tmp_path / RUNNING).mkdir(parents=True)
    systemctl = tmp_path / "bin/systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text(f"#!/bin/sh\necho $* >> {tmp_path}/told\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{systemctl.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def told(root: Path) -> list[str]:
    return (root / "told").read_text().splitlines()


def service(text: str) -> dict[str, str]:
    read = configparser.RawConfigParser(strict=True, interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign] # systemd's names have capitals
    read.read_string(text)
    return dict(read["Service"])


def test_the_unit_runs_the_page_of_the_lab_as_it_was_asked_for() -> None:
    read = service(page_unit.unit_text(LAB, ["--port", "9000", "--read-only"]))
    lab = ["--file", "/srv/my lab/compose.yaml", "--project-name", "mine", "--rules", "/srv/my lab/rules.yaml"]
    run = [sys.executable, "-P", "-E", "-m", "spark_mode.cli", *lab, "page", "--port", "9000", "--read-only"]
    assert shlex.split(read["ExecStart"]) == run
    assert read["WorkingDirectory"] == "/srv/my lab"


def test_a_switch_that_the_page_has_begun_goes_on_when_the_page_is_stopped_or_killed() -> None:
    read = service(page_unit.unit_text(LAB, []))
    assert (read["KillMode"], read["OOMPolicy"]) == ("process", "continue")


def test_it_comes_and_goes_with_the_users_own_systemd(root: Path) -> None:
    path = page_unit.install(LAB, ["--port", "9000"], root)
    assert path == root / "config/systemd/user/spark-mode-page.service"
    name = "spark-mode-page.service"
    assert told(root) == ["--user daemon-reload", f"--user enable {name}", f"--user restart {name}"]
    assert page_unit.is_installed()
    assert page_unit.uninstall(root)
    assert told(root)[3:] == [f"--user disable --now {name}", "--user daemon-reload"]
    assert not page_unit.is_installed()
    assert not page_unit.uninstall(root)


def test_that_of_another_installation_is_not_found_and_that_of_somebody_else_stays(root: Path) -> None:
    path = page_unit.install(LAB, [], root)
    path.write_text(path.read_text().replace(sys.executable, "/opt/another/bin/python3"))
    assert not page_unit.is_installed()
    path.write_text("[Unit]\n")
    for act in (lambda: page_unit.install(LAB, [], root), lambda: page_unit.uninstall(root)):
        with pytest.raises(ConfigurationError, match="is not from spark-mode"):
            act()
    assert path.read_text() == "[Unit]\n"


def test_in_the_tree_of_a_container_its_link_goes_with_it(root: Path) -> None:
    path = page_unit.install(LAB, [], root)
    link = path.parent / page_unit.WANTS / page_unit.NAME
    link.parent.mkdir()
    link.symlink_to(path)
    (root / RUNNING).rmdir()
    assert page_unit.uninstall(root)
    assert not link.is_symlink()
    with pytest.raises(ConfigurationError, match="systemd does not run this machine"):
        page_unit.install(LAB, [], root)


def test_uninstall_takes_it_away_with_all_the_rest(root: Path) -> None:
    path = page_unit.install(LAB, [], root)
    (part,) = [one for one in parts(cli, with_state=False) if one.what == "the page spark-mode-page.service"]
    part.undo()
    assert not path.exists()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    lab = LabFiles(compose=(str(tmp_path / "compose.yaml"),), rules=str(tmp_path / "rules.yaml"))
    path = tmp_path / page_unit.NAME
    path.write_text(page_unit.unit_text(lab, ["--behind", "https://spark.example"]))
    environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    verified = subprocess.run(
        ["systemd-analyze", "--user", "verify", "--man=no", path],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert (verified.returncode, verified.stderr) == (0, "")
