"""What others start without asking is seen and undone by the guard, on a real engine."""

import signal
from pathlib import Path

import psutil
import pytest

from spark_mode import __version__
from tests.deep import DEEP, deep
from tests.engine.guarding import Guarding
from tests.engine.lab import Lab, docker, ends, interrupt, start_by_hand, until

IDLE_BYTES = 60 * 10**6
PATIENCE = 5 if DEEP else 2


def history(lab: Lab) -> list[dict[str, str]]:
    """Return what the guard did."""
    return [one for one in lab.run("history", "--format", "json").json if one["by"] == "guard"]


def acted(lab: Lab, times: int) -> None:
    """Wait until the guard has acted so often."""
    until(lambda: len(history(lab)) >= times, pause=0.2)


def test_what_is_started_beside_training_is_stopped_in_its_grace_with_its_reason_and_who_starts_it_ever_again_is_not_fought(
    apart: Lab,
) -> None:
    rules = apart.folder / "rules.yaml"
    rules.write_text(f"{rules.read_text()}guard: {{patience: {PATIENCE}}}\n")
    apart.run("training")
    apart.run("audio", "omni", "--yes", OMNI_FAULT="slow-stop=1", STOP_GRACE="20s")
    guard, omni = Guarding(apart), apart.id_of("omni")
    start_by_hand(apart.id_of("training"))
    acted(apart, 1)
    assert set(apart.running()) == {"training"}, "which wins, whoever started it"

    docker("update", "--restart=always", omni)
    start_by_hand(omni)
    acted(apart, 2)
    assert set(apart.running()) == {"training"}
    code, policy = docker("inspect", "--format", "{{.State.ExitCode}} {{.HostConfig.RestartPolicy.Name}}", omni).split()
    assert code != "137", "it was killed"
    assert policy == "no"

    for times in range(3, PATIENCE + 2):
        start_by_hand(omni)
        acted(apart, times)
    found = history(apart)
    assert [one["outcome"] for one in found] == ["enforced"] * PATIENCE + ["warned"]
    assert {one["request"] for one in found[:-1]} == {"stop omni"}
    assert "training runs, and training runs alone" in found[1]["note"]
    assert "find out who starts it" in found[-1]["note"]
    assert "stopping omni" in guard.end()
    assert set(apart.running()) == {"training", "omni"}, "it was fought, or the end of the guard stopped something"


def in_the_way(*files: Path) -> None:
    """Put a folder in the place of each file."""
    for file in files:
        file.rename(file.with_name(f"{file.name}.aside"))
        file.mkdir()


def test_a_guard_that_was_killed_finds_what_happened_meanwhile_and_guards_without_journal_and_locks_and_says_so(
    apart: Lab, guard: Guarding
) -> None:
    apart.run("audio", "omni")
    apart.run("training", "--yes")
    guard.kill()
    start_by_hand(apart.id_of("omni"))
    assert set(apart.running()) == {"training", "omni"}
    guard.restart()
    until(lambda: set(apart.running()) == {"training"})

    guard.kill()
    in_the_way(*apart.state_folder.glob("*.guard.lock"))
    another = apart.spawn("guard")
    assert another.stdout is not None
    assert "whether another guard runs cannot be seen" in another.stdout.readline()
    assert another.stdout.readline().startswith("guarding")
    in_the_way(apart.state_folder / "switch.lock", *apart.state_folder.glob("*.journal"))
    start_by_hand(apart.id_of("omni"))
    until(lambda: set(apart.running()) == {"training"})
    interrupt(another)
    end = ends(another)
    assert end.code == 0, end
    assert end.out.count("switch.lock is a directory and no file; the guard acts without it") == 1
    assert end.out.count(".journal is a directory and no file; the guard goes by what runs") == 1
    assert end.out.count("what the guard does is not in the history") == 1


@pytest.mark.usefixtures("guard")
def test_the_guard_brings_back_what_ran_before_when_training_ends_which_status_says_and_never_fights_a_switch(apart: Lab) -> None:
    apart.run("audio", "omni")
    done = apart.run("training:large", "--yes", "--then", "restore")
    assert "the guard brings back what ran before" in done.out
    assert "when training has ended, a guard or who waits for it brings back what ran before" in apart.run("status").out
    docker("kill", apart.id_of("training"))
    until(lambda: set(apart.running()) == {"omni"})
    until(lambda: apart.run("history", "--format", "json").json[-1]["request"] == "restore", pause=0.2)
    assert [one for one in history(apart) if one["request"] != "restore"] == []


@deep
def test_rules_that_say_to_warn_only_are_obeyed(apart: Lab) -> None:
    rules = apart.folder / "rules.yaml"
    rules.write_text(rules.read_text() + "guard: {on_violation: warn}\n")
    apart.run("audio", "omni")
    apart.run("training", "--yes")
    watching = Guarding(apart)
    start_by_hand(apart.id_of("omni"))
    until(lambda: history(apart))
    assert history(apart)[-1]["outcome"] == "warned"
    watching.end()
    assert set(apart.running()) == {"training", "omni"}


def test_rules_that_everybody_may_write_are_not_used(apart: Lab) -> None:
    (apart.folder / "rules.yaml").chmod(0o666)
    refused = apart.run("guard", expect=3)
    assert "may be written by everybody" in refused.err
    assert "chmod o-w" in refused.err


def test_a_guard_waits_at_its_start_for_the_engine_and_for_rules_that_can_be_read(apart: Lab, tmp_path: Path) -> None:
    rules, engine = apart.folder / "rules.yaml", tmp_path / "docker.sock"
    whole = rules.read_text()
    rules.write_text(whole[: len(whole) // 2] + ": [")
    process = apart.spawn("guard", DOCKER_HOST=f"unix://{engine}")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("waiting: rules.yaml")
    (tmp_path / "whole").write_text(whole)
    (tmp_path / "whole").replace(rules)
    assert process.stdout.readline().startswith(f"waiting: Docker does not answer at {engine}")
    engine.symlink_to("/var/run/docker.sock")
    assert process.stdout.readline().startswith("guarding")
    interrupt(process)
    assert ends(process).code == 0


def test_a_second_signal_ends_a_guard_without_a_traceback(guard: Guarding) -> None:
    for _ in range(3):
        guard.process.send_signal(signal.SIGINT)
    ends(guard.process)


def test_an_idle_guard_is_small_and_one_is_enough_and_check_and_version_say_which_runs(apart: Lab) -> None:
    apart.forked = False  # its size is that of a process that imported what it needs
    guard = Guarding(apart)
    apart.forked = True
    assert psutil.Process(guard.process.pid).memory_info().rss < IDLE_BYTES
    assert "a guard runs already" in apart.run("guard", expect=5).err
    assert apart.run("version", "--format", "json").json["guard"] == __version__

    (lock,) = apart.state_folder.glob("*.guard.lock")
    lock.write_text(f"{guard.process.pid} 0.0.9")  # as one that ran on under an upgrade
    found = {one["where"]: one for one in apart.run("check", "--fix", "--format", "json", expect=None).json}
    assert (found["guard"]["level"], found["guard"]["fix"]) == ("warning", f"kill {guard.process.pid}, then: spark-mode guard")
    assert f"runs version 0.0.9, and this is version {__version__}" in found["guard"]["message"]
    assert "runs, of 0.0.9: spark-mode check" in apart.run("version").out

    guard.process.send_signal(signal.SIGTERM)
    end = ends(guard.process)
    assert end.code == 0, end
    found = {one["where"]: one for one in apart.run("check", "--format", "json", expect=None).json}
    assert (found["guard"]["level"], found["guard"]["fix"]) == ("optional", "sudo spark-mode guard install")
