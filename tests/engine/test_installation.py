"""What an installation promised is there after a boot, or it is an error: on a machine of its own, with the real engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import PROJECT
from tests.engine.lab import RULES, docker, ends, give_the_word, interrupt, until, wait_for_a_word
from tests.engine.outside import furnish
from tests.engine.own_machine import LabThere, OwnMachine, own_machine

UNIT = f"/etc/systemd/system/spark-mode-guard@{PROJECT}.service"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[OwnMachine]:
    folder = tmp_path / "machine"
    folder.mkdir()
    with own_machine(folder) as one:
        yield one


@pytest.fixture
def lab(tmp_path: Path, machine: OwnMachine) -> Iterator[LabThere]:
    """A lab with nothing running."""
    one = LabThere(PROJECT, tmp_path, machine)
    one.down()
    yield one
    one.down()


def boot(machine: OwnMachine) -> None:
    """Empty /run, as a boot does."""
    machine.run("rm", "-rf", "/run/spark-mode")


def test_after_a_boot_without_the_locks_nothing_is_switched_in_a_private_state_and_systemd_or_setup_brings_them_back(
    lab: LabThere, machine: OwnMachine
) -> None:
    lab.run("setup", "--shared")
    lab.run("audio", "omni", "--hold")
    boot(machine)
    running = lab.running()
    for verb in (("training", "--yes"), ("status",), ("restore",), ("recover",), ("up", "whisper")):
        assert "sudo spark-mode setup --shared" in lab.run(*verb, expect=3).err
    assert lab.running() == running
    lab.run("setup", "--shared")
    assert "is held" in lab.run("training", "--yes", expect=4).err
    if machine.run("sh", "-c", "command -v systemd-tmpfiles || true"):
        boot(machine)
        machine.run("systemd-tmpfiles", "--create", "spark-mode.conf")
        assert machine.run("stat", "--format=%U:%G %a", "/run/spark-mode").strip() == "root:docker 2770"
        assert lab.run("status", "--format", "json").json["mode"] == "audio omni"
    lab.run("release")
    lab.run("stop")
    assert not lab.state_folder.exists()


def test_after_a_boot_without_the_locks_a_stop_stops_and_a_guard_guards(lab: LabThere, machine: OwnMachine) -> None:
    lab.run("setup", "--shared")
    lab.run("training")
    lab.compose("create", "omni")
    boot(machine)
    guard = lab.spawn("guard")
    docker("start", lab.id_of("omni"))
    until(lambda: set(lab.running()) == {"training"})
    interrupt(guard)
    assert "/run/spark-mode is missing" in ends(guard).out
    assert "/run/spark-mode is missing" in lab.run("stop", "--yes").err
    assert lab.running() == {}


def test_what_is_shared_is_taken_away_only_when_nothing_runs_or_is_unfinished_and_nothing_is_lost(
    lab: LabThere, tmp_path: Path
) -> None:
    lab.run("setup", "--shared")
    lab.run("audio", "omni")
    wait_for_a_word(lab, tmp_path, "training")
    process = lab.spawn("training")
    until(lambda: "training" in lab.running())
    assert "is held" in lab.run("uninstall", "--shared", expect=5).err
    assert "another switch is running" in lab.run("uninstall", "--yes", expect=5).err
    process.kill()
    ends(process)
    assert "spark-mode recover" in lab.run("uninstall", "--shared", expect=4).err
    give_the_word(lab, "training")
    lab.run("recover")
    assert "/var/lib/spark-mode.kept" in lab.run("uninstall", "--shared").out
    assert "nothing was shared" in lab.run("uninstall", "--shared").out
    assert lab.run("history", "--format", "json").json == []
    assert lab.state_folder.exists(), "the user's own is used again"
    lab.run("setup", "--shared")
    assert [one["request"] for one in lab.run("history", "--format", "json").json][-1] == "training"


def test_advice_to_use_sudo_does_not_lead_to_a_journal_of_roots_own(lab: LabThere) -> None:
    del lab.environment["XDG_STATE_HOME"]
    lab.environment["SUDO_UID"] = "1000"
    assert "sudo spark-mode setup --shared" in lab.run("audio", "omni", "--drop-caches", expect=3).err
    assert lab.containers() == []
    lab.run("setup", "--shared")
    lab.run("audio", "omni")
    assert [one["request"] for one in lab.run("history", "--format", "json").json] == ["audio omni"]


def files(machine: OwnMachine, lab: LabThere) -> list[str]:
    """Return all that an installation may put somewhere on a machine, and what is in the lab's folder."""
    shared = "/run/spark-mode /var/lib/spark-mode /var/lib/spark-mode.kept"
    found = f"find /usr/local/bin /usr/local/lib/docker /usr/local/share /etc {shared} {lab.folder} ! -type d 2>/dev/null || true"
    return sorted(machine.run("sh", "-c", found).splitlines())


def test_all_that_was_put_on_a_machine_goes_away_again_and_docker_warns_of_nothing(
    lab: LabThere, machine: OwnMachine, tmp_path: Path
) -> None:
    machine.run("mkdir", "-p", "/run/systemd/system", "/run/bin")
    machine.run("ln", "-s", "/bin/true", "/run/bin/systemctl")
    lab.environment["PATH"] = f"/run/bin:{lab.environment['PATH']}"
    lab.folder, lab.files, lab.rules = tmp_path / "lab", (), None
    furnish(lab.folder, PROJECT)
    before = files(machine, lab)
    env = (lab.folder / ".env").read_text()
    lab.run("setup", "--yes")
    lab.run("gate", "install")
    lab.run("guard", "install")
    docker_info = "docker spark --version && docker info 2>&1 >/dev/null"
    assert "spark-mode, version" in machine.run("sh", "-c", docker_info)
    assert len(files(machine, lab)) > len(before) + 5
    said = [line for line in lab.run("uninstall", "--state", "--yes").out.splitlines() if line.endswith("is removed")]
    assert ["gate" in said[0], "guard" in said[1], "docker-spark" in said[2], "spark-mode.kept" in said[-1]] == [True] * 4
    assert files(machine, lab) == before
    assert (lab.folder / ".env").read_text() == env
    assert "spark" not in machine.run("sh", "-c", "docker info 2>&1 >/dev/null")
    assert "nothing is installed" in lab.run("uninstall", "--yes").out


def test_the_guard_is_installed_for_the_lab_that_is_named(lab: LabThere, machine: OwnMachine) -> None:
    machine.run("mkdir", "-p", "/run/systemd/system", "/run/bin")
    machine.run("ln", "-s", "/bin/true", "/run/bin/systemctl")
    lab.environment["PATH"] = f"/run/bin:{lab.environment['PATH']}"
    assert "sudo spark-mode setup --shared" in lab.run("guard", "install", expect=3).err
    lab.run("setup", "--shared")
    lab.files = ()
    lab.rules = None
    files = "compose/audio-lab.yaml:compose/stand-in.yaml"
    installed = lab.run("guard", "install", COMPOSE_FILE=files, COMPOSE_PROJECT_NAME=PROJECT, SPARK_MODE_RULES=RULES)
    assert UNIT in installed.out
    start = next(line for line in machine.run("cat", UNIT).splitlines() if line.startswith("ExecStart="))
    for part in ("compose/audio-lab.yaml", "compose/stand-in.yaml", RULES, f'"--project-name" "{PROJECT}"'):
        assert part in start
    assert "no guard was installed" in lab.run("-p", "another", "guard", "uninstall").out
    assert "is removed" in lab.run("guard", "uninstall").out
    assert machine.run("sh", "-c", f"ls {UNIT} 2>&1 || true").count("No such file") == 1
