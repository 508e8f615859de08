"""What goes wrong on a real engine: nothing is lost, and the user is told what happened and where the lab stands."""

import json
import subprocess
from pathlib import Path

from tests.deep import DEEP, deep
from tests.engine.lab import (
    LONG,
    SLOW_STOP,
    Lab,
    asked_to_stop,
    docker,
    ends,
    give_the_word,
    state,
    until,
    wait_for_a_word,
)
from tests.engine.witness import Witness

ROUNDS = 20
FEW_WORDS = "trap 'echo omni stopped; exit' TERM; echo omni begins; sleep 86400 & wait"
"""A service that writes so little that what it wrote before would be among its last lines."""
FAULTS = {"crash-at-start": "crashed and restarts", **({"exit-0=0": "did not start"} if DEEP else {})}


def test_a_failed_start_brings_back_what_ran_before_and_shows_what_the_service_wrote_now(lab: Lab, tmp_path: Path) -> None:
    usual = lab.files
    few = tmp_path / "few.yaml"
    few.write_text(json.dumps({"services": {"omni": {"entrypoint": ["sh", "-c", FEW_WORDS]}}}))
    lab.files = (*usual, str(few))
    wait_for_a_word(lab, tmp_path, "omni")
    switch = lab.spawn("audio", "omni")
    until(lambda: "omni" in lab.running())
    give_the_word(lab, "omni")
    assert ends(switch).code == 0
    lab.docker("exec", omni := lab.id_of("omni"), "rm", "/word")
    lab.run("training")
    assert "omni stopped" in lab.docker("logs", omni)
    with Witness(lab.project) as witness:
        failed = lab.run("audio", "omni", "--timeout", "1", expect=1)
    witness.require(audio_starts=1, training_starts=1)
    assert "not ready within 1 s" in failed.err
    assert "omni" in failed.err
    assert "last state:" in failed.err
    assert "What ran before runs again: training" in failed.err
    assert set(lab.running()) == {"training"}
    assert (lines := [line for line in failed.err.splitlines() if "log: " in line])
    assert [line for line in lines if "stopped" in line] == []
    assert lab.id_of("omni") == omni, "another container had no older log"

    lab.files = usual
    for fault, says in FAULTS.items():
        failed = lab.run("audio", "omni", "--no-restore", expect=1, OMNI_FAULT=fault)
        assert says in failed.err
        assert "stays stopped, as asked" in failed.err
        assert lab.running() == {}
        lab.run("restore")
        assert set(lab.running()) == {"training"}


def test_a_training_that_is_killed_for_want_of_memory_is_said_and_brings_back_the_audio_that_ran(
    lab: Lab, tmp_path: Path
) -> None:
    lab.run("audio", "omni")
    (tmp_path / "limit.yaml").write_text("services: {training: {mem_limit: 40m, memswap_limit: 40m}}")
    lab.files = (*lab.files, str(tmp_path / "limit.yaml"))
    failed = lab.run("training", expect=1, STAND_IN_MEMORY="50MB")
    assert "killed by the kernel for want of memory" in failed.err
    assert set(lab.running()) == {"omni"}


def test_a_training_that_has_no_step_left_ends_at_once_and_the_switch_says_so(lab: Lab) -> None:
    said = lab.run("training", TRAINING_FAULT="exit-0=0")
    assert "training has ended by itself, with exit code 0; its log: docker logs" in said.err
    assert lab.running() == {}


def test_a_training_that_had_to_be_killed_or_fails_at_its_end_is_a_loud_warning(lab: Lab) -> None:
    lab.run("training", TRAINING_FAULT="deaf", TRAINING_GRACE="1s")
    done = lab.run("stop")
    assert "WARNING" in done.err
    assert "CHECKPOINT MAY BE LOST" in done.err
    lab.run("training", TRAINING_FAULT="stops-with=1")
    done = lab.run("audio", "omni")
    assert "ended with 1 when it was stopped: ITS CHECKPOINT MAY BE LOST" in done.err
    assert set(lab.running()) == {"omni"}


@deep
def test_after_a_killed_switch_the_next_one_does_what_it_is_asked(lab: Lab, tmp_path: Path) -> None:
    wait_for_a_word(lab, tmp_path, "training")
    lab.run("audio", "omni")
    with Witness(lab.project) as witness:
        killed = lab.spawn("training")
        until(lambda: "training" in lab.running())
        killed.kill()
        killed.communicate()
        give_the_word(lab, "training")
        assert lab.run("status", "--format", "json").json["mode"] == "training"
        lab.run("audio", "omni", "--wait=30")
    assert set(lab.running()) == {"omni"}
    witness.require(audio_starts=1, training_starts=1)


def test_a_switch_that_is_killed_while_compose_stops_something_with_its_hook_is_finished_by_the_next(
    lab: Lab, tmp_path: Path
) -> None:
    hooked(lab, tmp_path)
    lab.run("audio", "omni", OMNI_FAULT=SLOW_STOP, STOP_GRACE=LONG)
    with Witness(lab.project) as witness:
        killed = lab.spawn("training")
        omni = asked_to_stop(lab, "omni")
        assert children_run(lab)
        killed.kill()
        docker("kill", omni)
        killed.communicate()
        lab.run("training", "--wait=30")
    assert set(lab.running()) == {"training"}
    assert docker("cp", f"{omni}:/hook", "-"), "it was not stopped by Compose, which runs its hook"
    witness.require(audio_starts=0, training_starts=1)


def hooked(lab: Lab, folder: Path) -> None:
    """Have omni stopped by Compose, for its hook."""
    file = folder / "hook.yaml"
    hook = {"command": ["sh", "-c", "echo ran > /hook"]}
    file.write_text(json.dumps({"services": {"omni": {"pre_stop": [hook]}}}))
    lab.files = (*lab.files, str(file))


def children_run(lab: Lab) -> bool:
    """Whether a command of a switch runs, by trying the lock that it holds."""
    (lock,) = (Path(lab.environment["XDG_STATE_HOME"]) / "spark-mode").glob("children.lock")
    return subprocess.run(["flock", "--nonblock", lock, "true"], check=False).returncode != 0


@deep
def test_of_two_switches_at_once_one_wins_and_the_other_is_told_who(lab: Lab) -> None:
    with Witness(lab.project) as witness:
        for _ in range(ROUNDS):
            both = [lab.spawn("audio", "omni", "--yes"), lab.spawn("training", "--yes")]
            codes = [ends(process) for process in both]
            assert sorted(end.code for end in codes) in ([0, 5], [0, 0]), codes
            busy = [end.out for end in codes if end.code == 5]
            assert all("another switch is running" in text for text in busy)
            assert set(lab.running()) in ({"omni"}, {"training"})
    witness.require(audio_starts=1, training_starts=1)


def test_a_paused_and_a_one_off_container_are_stopped_and_settings_of_compose_in_the_environment_change_nothing(lab: Lab) -> None:
    hostile = {"COMPOSE_REMOVE_ORPHANS": "1", "COMPOSE_PROFILES": "xtts"}
    lab.run("audio", "omni", expect=0, **hostile)
    assert set(lab.running()) == {"omni"}
    docker("pause", lab.id_of("omni"))
    lab.compose("run", "--detach", "--no-deps", "chatterbox")
    lab.run("training", expect=0, **hostile)
    assert set(lab.running()) == {"training"}
    assert state(lab)["omni"] == "exited"


def health(lab: Lab, service: str) -> str:
    """Return what Docker itself says of a service's health."""
    return lab.docker("inspect", "--format", "{{.State.Health.Status}}", lab.id_of(service)).strip()


def test_what_was_paused_counts_as_ready_once_docker_calls_it_healthy_and_fails_like_a_start_where_its_check_fails(
    lab: Lab, tmp_path: Path
) -> None:
    wait_for_a_word(lab, tmp_path, "omni", interval="1s", retries=1)
    switch = lab.spawn("audio", "omni")
    until(lambda: "omni" in lab.running())
    give_the_word(lab, "omni")
    assert ends(switch).code == 0
    lab.docker("pause", omni := lab.id_of("omni"))
    lab.run("audio", "omni")
    assert health(lab, "omni") == "healthy"
    lab.docker("exec", omni, "rm", "/word")
    lab.docker("pause", omni)
    said = lab.run("audio", "omni", expect=1).err
    assert "omni is not ready: its health check fails" in said
    assert set(lab.running()) == {"omni"}


def test_a_service_that_left_the_files_is_stopped_too(lab: Lab) -> None:
    label = f"com.docker.compose.project={lab.project}"
    run_beside("--label", label, "--label", "com.docker.compose.service=gone")
    refused = lab.run("training", expect=4)
    assert '"gone" is not in rules.yaml' in refused.err
    lab.run("stop")
    assert lab.running() == {}


def run_beside(*options: str) -> None:
    """Run a container that Compose knows nothing of, and see that it runs."""
    settings = ("--network", "none", "-e", "STAND_IN_MEMORY=1MB", "-e", "STAND_IN_LOAD=0")
    id_ = docker("run", "--detach", *settings, *options, "audio-lab-stand-in:latest", "omni").strip()
    assert docker("inspect", "--format", "{{.State.Status}}", id_).strip() == "running"
