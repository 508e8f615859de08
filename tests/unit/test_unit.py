"""The guard's unit: it names the lab it was installed for, runs nothing of its directory, and systemd understands it."""

import configparser
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spark_mode.enforcement import unit
from spark_mode.enforcement.shared import tmpfiles_text
from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.lab.files import LabFiles
from tests.hostile import lay_traps

LAB = LabFiles(compose=("/srv/lab/compose.yaml", "/srv/lab/more.yaml"), rules="/srv/lab/rules.yaml")
OTHER = LabFiles(
    compose=('/srv/my "$lab" 100%.yaml',), rules="/srv/r.yaml", project_directory="/srv/a b", env_files=("/srv/x.env",)
)
needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")


def sections(text: str) -> configparser.RawConfigParser:
    read = configparser.RawConfigParser(strict=True, interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign] # systemd's names have capitals
    read.read_string(text)
    return read


def command(text: str) -> list[str]:
    """Return the command line as systemd reads it."""
    return shlex.split(sections(text)["Service"]["ExecStart"].replace("%%", "%").replace("$$", "$"))


def test_the_unit_names_the_whole_lab_it_was_installed_for() -> None:
    files = ["--file", "/srv/lab/compose.yaml", "--file", "/srv/lab/more.yaml"]
    named = [*files, "--project-name", "audio-lab", "--rules", "/srv/lab/rules.yaml"]
    assert command(unit.unit_text(LAB, "audio-lab", Path("/srv")))[5:] == [*named, "guard"]
    other = ["--file", '/srv/my "$lab" 100%.yaml', "--env-file", "/srv/x.env", "--project-directory", "/srv/a b"]
    text = unit.unit_text(OTHER, "aa", Path("/srv/100% lab"))
    assert command(text)[5:] == [*other, "--project-name", "aa", "--rules", "/srv/r.yaml", "guard"]
    assert sections(text)["Service"]["WorkingDirectory"] == "/srv/100%% lab"


def test_the_unit_is_never_given_up_and_may_do_little() -> None:
    read = sections(unit.unit_text(LAB, "audio-lab", Path("/srv")))
    assert read["Unit"]["StartLimitIntervalSec"] == "0"
    service = dict(read["Service"])
    assert (service["Type"], service["Restart"]) == ("notify", "always")
    assert (service["NoNewPrivileges"], service["ProtectSystem"]) == ("yes", "strict")
    assert service["ReadWritePaths"] == "-/run/spark-mode -/var/lib/spark-mode"


def test_the_unit_runs_nothing_of_the_directory_it_runs_in(tmp_path: Path) -> None:
    sprung = lay_traps(tmp_path)
    files = LabFiles(compose=(str(tmp_path / "compose.yaml"),), rules=str(tmp_path / "rules.yaml"))
    run = command(unit.unit_text(files, "lab", tmp_path))
    environment = os.environ | {"PYTHONPATH": ":", "XDG_STATE_HOME": str(tmp_path / "state")}
    with subprocess.Popen(run, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as guard:
        assert guard.stdout is not None
        said = guard.stdout.readline()  # it has looked for its lab, and waits for it from then on
        guard.terminate()
    assert "rules.yaml: No such file" in said
    assert not sprung.exists(), sprung.read_text()


def test_a_name_that_would_begin_a_line_of_its_own_is_refused() -> None:
    for files, folder in ((LAB, "/srv/x\nExecStartPre=/bin/sh"), (LabFiles(compose=("/a\n",), rules="/r"), "/srv")):
        with pytest.raises(ConfigurationError, match="cannot stand in a unit"):
            unit.unit_text(files, "lab", Path(folder))


@needs_systemd
@pytest.mark.parametrize("files", [LAB, OTHER], ids=["plain", "strange names"])
def test_systemd_finds_no_fault_in_the_unit(files: LabFiles, tmp_path: Path) -> None:
    path = tmp_path / unit.unit_name("audio-lab")
    path.write_text(unit.unit_text(files, "audio-lab", tmp_path))
    (tmp_path / "docker.service").write_text("[Service]\nExecStart=/bin/true\n")  # which need not be installed for systemd here
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", path], check=False, capture_output=True, text=True, timeout=60
    )
    assert (verified.returncode, verified.stderr) == (0, "")


@needs_systemd
@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can give a directory away")
def test_a_boot_makes_the_shared_directories(tmp_path: Path) -> None:
    for name in ("passwd", "group"):
        (tmp_path / "etc").mkdir(exist_ok=True)
        shutil.copy(f"/etc/{name}", tmp_path / "etc")
    with (tmp_path / "etc/group").open("a") as groups:
        groups.write("sparks:x:4242:\n")
    (tmp_path / "spark-mode.conf").write_text(tmpfiles_text("sparks"))
    made = subprocess.run(
        ["systemd-tmpfiles", "--create", f"--root={tmp_path}", tmp_path / "spark-mode.conf"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (made.returncode, made.stderr) == (0, "")
    for folder in (tmp_path / "run/spark-mode", tmp_path / "var/lib/spark-mode"):
        seen = folder.stat()
        assert (seen.st_uid, seen.st_gid, seen.st_mode & 0o7777) == (0, 4242, 0o2770)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a machine that systemd runs; `systemctl` writes down what it is told."""
    machine = tmp_path / "machine"
    (machine / unit.RUNNING).mkdir(parents=True)
    (machine / unit.FOLDER).mkdir(parents=True)
    systemctl = tmp_path / "bin/systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text(f"#!/bin/sh\necho $* >> {tmp_path}/told\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{systemctl.parent}:{os.environ['PATH']}")
    return machine


def told(root: Path) -> list[str]:
    return (root.parent / "told").read_text().splitlines()


def test_each_lab_has_a_unit_of_its_own_that_comes_and_goes(root: Path) -> None:
    for project in ("aa", "bb"):
        assert unit.install(LAB, project, Path("/srv"), root).name == f"spark-mode-guard@{project}.service"
    assert told(root)[3:] == ["daemon-reload", "enable spark-mode-guard@bb.service", "restart spark-mode-guard@bb.service"]
    with pytest.raises(UsageFault, match=r"several: spark-mode-guard@aa\.service, spark-mode-guard@bb\.service"):
        unit.uninstall(None, root)
    assert unit.uninstall("aa", root) == "spark-mode-guard@aa.service"
    assert told(root)[6:] == ["disable --now spark-mode-guard@aa.service", "daemon-reload"]
    assert unit.uninstall(None, root) == "spark-mode-guard@bb.service"
    assert unit.uninstall(None, root) is None
    assert list((root / unit.FOLDER).iterdir()) == []


def test_users_of_docker_may_start_and_stop_the_units_of_model_hosts_as_long_as_the_guard_is_installed(root: Path) -> None:
    unit.install(LAB, "aa", Path("/srv"), root, ("ollama.service", "other@1.service"))
    granted = unit.rights_path("aa", root).read_text()
    assert '["ollama.service", "other@1.service"].indexOf(action.lookup("unit")) >= 0' in granted
    assert '["start", "stop"].indexOf(action.lookup("verb")) >= 0' in granted
    assert 'subject.isInGroup("docker")' in granted
    unit.install(LAB, "aa", Path("/srv"), root)
    assert not unit.rights_path("aa", root).exists(), "it names no unit any more"
    unit.install(LAB, "aa", Path("/srv"), root, ("ollama.service",))
    unit.uninstall("aa", root)
    assert not unit.rights_path("aa", root).exists()


def test_a_unit_of_somebody_else_stays(root: Path) -> None:
    path = root / unit.FOLDER / unit.unit_name("aa")
    path.write_text("[Unit]\n")
    for act in (lambda: unit.install(LAB, "aa", Path("/srv"), root), lambda: unit.uninstall("aa", root)):
        with pytest.raises(ConfigurationError, match="is not from spark-mode"):
            act()
    assert path.read_text() == "[Unit]\n"


def test_without_systemd_nothing_is_installed(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="systemd does not run this machine"):
        unit.install(LAB, "aa", Path("/srv"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_program_of_the_unit_is_the_python_that_installed_it() -> None:
    assert command(unit.unit_text(LAB, "aa", Path("/srv")))[:5] == [sys.executable, "-P", "-E", "-m", "spark_mode.cli"]


@pytest.mark.parametrize("runs", [True, False], ids=["systemd runs", "the tree of a container"])
def test_all_units_of_this_installation_are_found_and_go_and_those_of_another_stay(root: Path, runs: bool) -> None:
    unit.install(LAB, "aa", Path("/srv"), root, ("ollama.service",))
    folder = root / unit.FOLDER
    other = folder / unit.unit_name("bb")
    other.write_text((folder / unit.unit_name("aa")).read_text().replace(sys.executable, "/opt/another/bin/python3"))
    link = folder / unit.WANTS / unit.unit_name("aa")
    link.parent.mkdir()
    link.symlink_to("../spark-mode-guard@aa.service")
    if not runs:
        (root / unit.RUNNING).rmdir()
    ((name, undo),) = unit.installed(root)
    assert name == "spark-mode-guard@aa.service"
    undo()
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["spark-mode-guard@bb.service"]
    assert not unit.rights_path("aa", root).exists()
    assert told(root)[3:] == (["disable --now spark-mode-guard@aa.service", "daemon-reload"] if runs else [])
    assert link.is_symlink() is runs, "systemctl itself takes its link away"
