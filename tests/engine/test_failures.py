"""What goes wrong on a real engine: nothing is lost, and the user is told what happened and where the lab stands."""

import json
import subprocess
from pathlib import Path

from tests.deep import DEEP
from tests.engine.lab import (
    LONG,
    SLOW_STOP,
    Lab,
    asked_to_stop,
    docker,
    ends,
    give_the_word,
    interrupt,
    state,
    until,
    wait_for_a_word,
)
from tests.engine.witness import Witness

ROUNDS = 20 if DEEP else 3


def test_a_failed_start_brings_back_what_ran_before(lab: Lab) -> None:
    lab.run("training")
    with Witness(lab.project) as witness:
        for fault, options, says in (
            ("crash-at-start", (), "crashed and restarts"),
            ("never-healthy", ("--timeout", "2"), "not ready within 2 s"),
            ("exit-0=0", (), "did not start"),
        ):
            failed = lab.run("audio", "omni", *options, expect=1, OMNI_FAULT=fault)
            assert says in failed.err
            assert "omni" in failed.err
            assert "last state:" in failed.err
            assert "What ran before runs again: training" in failed.err
            assert set(lab.running()) == {"training"}
    witness.require(audio_starts=3, training_starts=3)
    failed = lab.run("audio", "omni", "--no-restore", expect=1, OMNI_FAULT="crash-at-start")
    assert "stays stopped, as asked" in failed.err
    assert lab.running() == {}
    lab.run("restore")
    assert set(lab.running()) == {"training"}


def test_a_training_that_fails_to_start_or_is_killed_for_want_of_memory_is_said_and_brings_back_the_audio_that_ran(
    lab: Lab, tmp_path: Path
) -> None:
    lab.run("audio", "xtts")
    failed = lab.run("training", expect=1, TRAINING_FAULT="crash-at-start")
    assert "exit code" in failed.err or "exited with code" in failed.err
    assert "log:" in failed.err
    assert set(lab.running()) == {"xtts", "whisper", "ollama"}
    assert lab.run("status", "--format", "json").json["mode"] == "audio xtts"

    (tmp_path / "limit.yaml").write_text("services: {training: {mem_limit: 40m, memswap_limit: 40m}}")
    lab.files = (*lab.files, str(tmp_path / "limit.yaml"))
    failed = lab.run("training", expect=1, STAND_IN_MEMORY="50MB")
    assert "killed by the kernel for want of memory" in failed.err
    assert set(lab.running()) == {"xtts", "whisper", "ollama"}


def test_a_training_that_has_no_step_left_ends_at_once_and_the_switch_says_so(lab: Lab) -> None:
    said = lab.run("training", TRAINING_FAULT="exit-0=0")
    assert "training has ended by itself, with exit code 0; its log: docker logs" in said.err
    assert lab.running() == {}


def test_what_was_stopped_while_a_compose_file_was_broken_comes_back(lab: Lab, tmp_path: Path) -> None:
    lab.run("audio", "omni")
    good, bad = lab.files, tmp_path / "bad.yaml"
    bad.write_text("bogus: 1\n")
    lab.files = (*good, str(bad))
    lab.run("stop")
    lab.files = good
    lab.run("restore")
    assert set(lab.running()) == {"omni"}


def test_a_training_that_had_to_be_killed_is_a_loud_warning(lab: Lab) -> None:
    lab.run("training", TRAINING_FAULT="deaf", TRAINING_GRACE="1s")
    done = lab.run("audio", "omni", expect=0)
    assert "WARNING" in done.err
    assert "CHECKPOINT MAY BE LOST" in done.err
    assert set(lab.running()) == {"omni"}


def test_an_interrupt_ends_in_the_former_mode(lab: Lab) -> None:
    lab.run("audio", "omni")
    process = lab.spawn("training", TRAINING_LOAD="20")
    until(lambda: "training" in lab.running())
    interrupt(process)
    end = ends(process)
    assert end.code == 130, end
    assert "What ran before runs again: omni" in end.out
    assert set(lab.running()) == {"omni"}


def test_a_second_interrupt_leaves_at_once_and_says_what_remains(lab: Lab) -> None:
    lab.run("audio", "omni", OMNI_FAULT=SLOW_STOP, STOP_GRACE=LONG)
    process = lab.spawn("training")
    omni = asked_to_stop(lab, "omni")
    until(lambda: interrupted(process), pause=0.2)
    end = ends(process)
    assert end.code == 130, end
    assert "left at once" in end.out.lower()
    assert "spark-mode recover" in end.out
    docker("kill", omni)
    lab.run("recover", "--wait=30")
    assert set(lab.running()) == {"training"}


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


def test_a_switch_that_is_killed_while_it_stops_something_is_finished_by_the_next(lab: Lab, tmp_path: Path) -> None:
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
    witness.require(audio_starts=0, training_starts=1)


def test_without_a_terminal_adding_something_never_stops_a_training_unasked(lab: Lab) -> None:
    lab.run("training")
    before = lab.containers()
    assert "add --yes" in lab.run("up", "omni", expect=4).err
    assert lab.containers() == before
    lab.run("up", "omni", "--yes")
    assert set(lab.running()) == {"omni"}


def test_a_service_with_a_hook_is_stopped_through_compose_which_runs_it(lab: Lab, tmp_path: Path) -> None:
    hooked(lab, tmp_path)
    lab.run("audio", "omni")
    lab.run("training")
    (omni,) = [one["id"] for one in lab.containers() if one["service"] == "omni"]
    assert "omni" in state(lab)
    assert docker("cp", f"{omni}:/hook", "-")


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


def test_a_switch_that_waits_goes_on_when_the_other_is_done(lab: Lab) -> None:
    first = lab.spawn("audio", "omni", OMNI_LOAD="2")
    until(lambda: "omni" in lab.running())
    lab.run("training", "--wait=60")
    assert ends(first).code == 0
    assert set(lab.running()) == {"training"}


def test_settings_of_compose_in_the_environment_change_nothing(lab: Lab) -> None:
    hostile = {"COMPOSE_REMOVE_ORPHANS": "1", "COMPOSE_PROFILES": "xtts"}
    lab.run("audio", "chatterbox", expect=0, **hostile)
    assert set(lab.running()) == {"chatterbox", "whisper", "ollama"}
    lab.run("training", expect=0, **hostile)
    assert set(lab.running()) == {"training"}
    assert state(lab)["chatterbox"] == "exited"


def test_a_one_off_container_in_the_way_is_stopped(lab: Lab) -> None:
    lab.compose("run", "--detach", "--no-deps", "omni")
    lab.run("training")
    assert set(lab.running()) == {"training"}


def test_a_paused_container_counts_as_active_and_is_stopped(lab: Lab) -> None:
    lab.run("audio", "omni")
    docker("pause", lab.running()["omni"][0])
    lab.run("training")
    assert set(lab.running()) == {"training"}
    assert state(lab)["omni"] == "exited"


def health(lab: Lab, service: str) -> str:
    """Return what Docker itself says of a service's health."""
    return lab.docker("inspect", "--format", "{{.State.Health.Status}}", lab.id_of(service)).strip()


def test_what_was_paused_counts_as_ready_once_docker_calls_it_healthy(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "often.yaml").write_text("services: {omni: {healthcheck: {interval: 1s}}}")
    lab.files = (*lab.files, str(tmp_path / "often.yaml"))
    lab.run("audio", "omni")
    lab.docker("pause", lab.id_of("omni"))
    lab.run("audio", "omni")
    assert health(lab, "omni") == "healthy"


def test_what_was_paused_and_fails_its_health_check_fails_like_a_start(lab: Lab, tmp_path: Path) -> None:
    wait_for_a_word(lab, tmp_path, "omni", interval="1s", retries=1)
    switch = lab.spawn("audio", "omni")
    until(lambda: "omni" in lab.running())
    give_the_word(lab, "omni")
    assert ends(switch).code == 0
    lab.docker("exec", lab.id_of("omni"), "rm", "/word")
    lab.docker("pause", lab.id_of("omni"))
    said = lab.run("audio", "omni", expect=1).err
    assert "omni is not ready: its health check fails" in said
    assert set(lab.running()) == {"omni"}


def test_a_service_that_left_the_files_is_stopped_too(lab: Lab) -> None:
    lab.run("audio", "omni")
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


def interrupted(process: "subprocess.Popen[str]") -> bool:
    """Press Ctrl-C, unless the process has ended; whether it has."""
    if process.poll() is None:
        interrupt(process)
        return False
    return True


def test_a_failed_start_shows_what_the_service_wrote_now_and_not_when_it_ran_before(lab: Lab) -> None:
    lab.run("audio", "omni")
    lab.run("training")
    earlier = lab.docker("logs", next(one["id"] for one in lab.containers() if one["service"] == "omni"))
    assert "omni stopped" in earlier
    failed = lab.run("audio", "omni", "--timeout", "1", "--yes", expect=1, OMNI_FAULT="never-healthy")
    lines = [line for line in failed.err.splitlines() if "log: " in line]
    assert lines
    assert [line for line in lines if "stopped" in line] == []
