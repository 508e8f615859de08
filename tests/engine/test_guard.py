"""What others start without asking is seen and undone by the guard, on a real engine."""

import signal
from pathlib import Path

import psutil
import pytest

from spark_mode import __version__
from tests.engine.guarding import Guarding
from tests.engine.lab import Lab, docker, ends, interrupt, until

IDLE_BYTES = 60 * 10**6


def history(lab: Lab) -> list[dict[str, str]]:
    """Return what the guard did."""
    return [one for one in lab.run("history", "--format", "json").json if one["by"] == "guard"]


def acted(lab: Lab, times: int) -> None:
    """Wait until the guard has acted so often."""
    until(lambda: len(history(lab)) >= times, pause=0.2)


@pytest.mark.usefixtures("guard")
def test_training_that_is_started_by_hand_wins_over_audio(apart: Lab) -> None:
    apart.run("training")
    apart.run("audio", "omni", "--yes")
    docker("start", apart.id_of("training"))
    until(lambda: set(apart.running()) == {"training"})


def test_what_is_started_beside_training_is_stopped_with_its_reason_and_who_starts_it_again_and_again_is_not_fought_for_ever(
    apart: Lab, guard: Guarding
) -> None:
    apart.run("audio", "omni")
    apart.run("training", "--yes")
    for times in range(1, 7):
        docker("start", apart.id_of("omni"))
        acted(apart, times)
        if times == 1:
            assert set(apart.running()) == {"training"}
    found = history(apart)
    assert [one["outcome"] for one in found] == ["enforced"] * 5 + ["warned"]
    assert {one["request"] for one in found[:-1]} == {"stop omni"}
    assert "training runs, and training runs alone" in found[0]["note"]
    assert "find out who starts it" in found[-1]["note"]
    assert set(apart.running()) == {"training", "omni"}
    assert "stopping omni" in guard.end()


@pytest.mark.usefixtures("guard")
def test_what_the_guard_stopped_had_its_grace_and_no_restart_policy_brings_it_back(apart: Lab) -> None:
    apart.run("audio", "omni", OMNI_FAULT="slow-stop=2", STOP_GRACE="20s")
    apart.run("training", "--yes")
    one = apart.id_of("omni")
    docker("update", "--restart=always", one)
    docker("start", one)
    acted(apart, 1)
    assert set(apart.running()) == {"training"}
    said = docker("inspect", "--format", "{{.State.ExitCode}} {{.HostConfig.RestartPolicy.Name}}", one).split()
    assert said[0] != "137", "it was killed"
    assert said[1] == "no"
    assert [entry["request"] for entry in history(apart)] == ["stop omni"]


def in_the_way(*files: Path) -> None:
    """Put a folder in the place of each file."""
    for file in files:
        file.rename(file.with_name(f"{file.name}.aside"))
        file.mkdir()


def test_a_guard_ends_what_breaks_a_rule_without_journal_and_lock_and_says_so(apart: Lab, guard: Guarding) -> None:
    apart.run("audio", "omni")
    apart.run("training", "--yes")
    in_the_way(apart.state_folder / "switch.lock", *apart.state_folder.glob("*.journal"))
    for _ in range(2):
        docker("start", apart.id_of("omni"))
        until(lambda: set(apart.running()) == {"training"})
    said = guard.end()
    assert said.count("switch.lock is a directory and no file; the guard acts without it") == 1
    assert said.count(".journal is a directory and no file; the guard goes by what runs") == 1
    assert said.count("what the guard does is not in the history") == 1


def test_a_guard_that_was_killed_finds_what_happened_meanwhile_and_guards_though_its_own_lock_cannot_be_used(
    apart: Lab, guard: Guarding
) -> None:
    apart.run("audio", "omni")
    apart.run("training", "--yes")
    guard.kill()
    docker("start", apart.id_of("omni"))
    assert set(apart.running()) == {"training", "omni"}
    guard.restart()
    until(lambda: set(apart.running()) == {"training"})

    guard.kill()
    in_the_way(*apart.state_folder.glob("*.guard.lock"))
    another = apart.spawn("guard")
    assert another.stdout is not None
    assert "whether another guard runs cannot be seen" in another.stdout.readline()
    docker("start", apart.id_of("omni"))
    until(lambda: set(apart.running()) == {"training"})
    interrupt(another)
    assert ends(another).code == 0


@pytest.mark.usefixtures("guard")
def test_the_guard_and_switches_never_fight(apart: Lab) -> None:
    for request in (("audio", "omni"), ("training",), ("audio", "xtts"), ("training:large",), ("audio", "omni")):
        apart.run(*request, "--yes", "--wait=10")
    assert set(apart.running()) == {"omni"}
    assert history(apart) == []


@pytest.mark.usefixtures("guard")
def test_the_guard_brings_back_what_ran_before_when_training_ends(apart: Lab) -> None:
    apart.run("audio", "omni")
    done = apart.run("training", "--yes", "--then", "restore", TRAINING_FAULT="exit-0=3")
    assert "the guard brings back what ran before" in done.out
    until(lambda: set(apart.running()) == {"omni"})
    until(lambda: apart.run("history", "--format", "json").json[-1]["request"] == "restore")


def test_rules_that_say_to_warn_only_are_obeyed(apart: Lab) -> None:
    rules = apart.folder / "rules.yaml"
    rules.write_text(rules.read_text() + "guard: {on_violation: warn}\n")
    apart.run("audio", "omni")
    apart.run("training", "--yes")
    watching = Guarding(apart)
    docker("start", apart.id_of("omni"))
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


def test_status_says_what_waits_and_what_is_going_on_and_check_which_guard_runs(apart: Lab, guard: Guarding) -> None:
    apart.run("audio", "omni")
    apart.run("training", "--yes", "--then", "restore")
    assert "when training has ended, a guard or who waits for it brings back what ran before" in apart.run("status").out
    switch = apart.spawn("audio", "xtts", "--yes", XTTS_LOAD="20")
    until(lambda: "another switch is running: audio xtts" in apart.run("status").out)
    interrupt(switch)
    ends(switch)
    found = {one["where"]: one for one in apart.run("check", "--format", "json", expect=None).json}
    assert "runs" in found["guard"]["message"]
    assert apart.run("version", "--format", "json").json["guard"] == __version__
    (lock,) = apart.state_folder.glob("*.guard.lock")
    lock.write_text(f"{guard.process.pid} 0.0.9")  # as one that ran on under an upgrade
    found = {one["where"]: one for one in apart.run("check", "--fix", "--format", "json", expect=None).json}
    assert (found["guard"]["level"], found["guard"]["fix"]) == ("warning", f"kill {guard.process.pid}, then: spark-mode guard")
    assert f"runs version 0.0.9, and this is version {__version__}" in found["guard"]["message"]
    assert "runs, of 0.0.9: spark-mode check" in apart.run("version").out
    guard.end()
    found = {one["where"]: one for one in apart.run("check", "--format", "json", expect=None).json}
    assert (found["guard"]["level"], found["guard"]["fix"]) == ("optional", "sudo spark-mode guard install")


def test_an_idle_guard_is_small_and_one_is_enough_and_at_a_signal_it_leaves_all_running(apart: Lab) -> None:
    apart.run("training")
    apart.forked = False  # its size is that of a process that imported what it needs
    guard = Guarding(apart)
    assert psutil.Process(guard.process.pid).memory_info().rss < IDLE_BYTES
    assert "a guard runs already" in apart.run("guard", expect=5).err
    guard.process.send_signal(signal.SIGTERM)
    end = ends(guard.process)
    assert end.code == 0, end
    assert set(apart.running()) == {"training"}
