"""What the engine does to a switch: it freezes, dies, restarts, or cannot stop a container; on an engine of the tests' own."""

import contextlib
import itertools
import json
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from spark_mode.engine.gpu import container_of_pid
from tests.deep import DEEP, deep
from tests.engine.lab import FILES, Lab, asked_to_stop, ends, give_the_word, until, wait_for_a_word
from tests.engine.private import PrivateEngine
from tests.engine.witness import Witness

KILLS = 100 if DEEP else 2
LEGAL = ({"omni"}, {"xtts", "whisper", "ollama"}, {"training"})
REQUESTS = (("training",), ("audio", "omni"), ("audio", "xtts")) if DEEP else (("training",), ("audio", "omni"))
POINTS = ("start", "stop", "verify", "create", "await-release")
"""The steps after whose beginning a switch is killed. Three that follow each other have the side started, by a recovery."""
PARTS = (True, False)
"""Whether the whole group is killed, or the parent alone."""


@pytest.fixture
def broken(engine: PrivateEngine, home: Path) -> Iterator[Lab]:
    """A lab with nothing running, on the engine that may be broken."""
    one = Lab("spark-mode-test", home, engine.host)
    one.files = (*FILES, "tests/engine/private.yaml")
    one.down()
    yield one
    engine.thaw()  # where a test ended before it did
    one.down()


def kill(process: "subprocess.Popen[str]", group: bool) -> None:
    """kill -9 of a switch alone, or with everything that it started."""
    children: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):  # it may just have ended
        children += psutil.Process(process.pid).children(recursive=True) if group else []
    process.kill()
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    process.communicate()


def await_step(process: "subprocess.Popen[str]", journal: Path, offset: int, action: str) -> None:
    """Wait until a switch has begun such a step, since the journal was so long, or has ended."""

    def is_begun() -> bool:
        records = [json.loads(line.partition(b" ")[2]) for line in journal.read_bytes()[offset:].split(b"\n")[:-1]]
        return any(one["kind"] == "step" and one["step"]["action"] == action for one in records)

    until(lambda: is_begun() or process.poll() is not None)


def test_one_recovery_settles_the_lab_after_kills_at_random_instants(broken: Lab, engine: PrivateEngine) -> None:
    chance = random.Random(5)
    broken.run("audio", "omni")
    (journal,) = broken.state_folder.glob("*.journal")
    with Witness(broken.project, engine.host) as witness:
        kinds = (itertools.cycle(kinds) for kinds in (REQUESTS, POINTS, PARTS))
        for _, request, point, group in zip(range(KILLS), *kinds, strict=False):
            offset = journal.stat().st_size
            process = broken.spawn(*request, "--yes")
            await_step(process, journal, offset, point)
            time.sleep(chance.uniform(0, 0.5))
            kill(process, group)
            broken.run("recover", "--wait=60")
            assert set(broken.running()) in LEGAL
            assert broken.run("status", "--format", "json").json["interrupted"] is None
    witness.require(audio_starts=1, training_starts=1)


def test_a_frozen_engine_ends_in_6_and_nothing_is_started_afterwards(broken: Lab, engine: PrivateEngine) -> None:
    broken.run("audio", "omni", OMNI_FAULT="slow-stop=90", STOP_GRACE="5s")
    with Witness(broken.project, engine.host) as witness:
        process = broken.spawn("training")
        asked_to_stop(broken, "omni")
        engine.freeze()
        end = ends(process)
        assert end.code == 6, end
        assert "did not answer" in end.out or "did not end" in end.out
        assert "spark-mode recover" in end.out
        assert broken.run("status", expect=6).out == ""
        engine.thaw()
        time.sleep(2)
        assert "training" not in broken.running()
        assert broken.run("status", "--format", "json").json["interrupted"]
        broken.run("recover")
        assert set(broken.running()) == {"training"}
    witness.require(audio_starts=0, training_starts=1)


@pytest.mark.parametrize("how", ["killed", pytest.param("restarted", marks=deep)])
def test_an_engine_that_goes_away_in_the_middle_of_a_switch_leaves_it_to_be_recovered(
    broken: Lab, engine: PrivateEngine, how: str, tmp_path: Path
) -> None:
    wait_for_a_word(broken, tmp_path, "training")
    broken.run("audio", "omni")
    with Witness(broken.project, engine.host) as witness:
        process = broken.spawn("training")
        until(lambda: "training" in broken.running())
        engine.kill() if how == "killed" else engine.stop()
        end = ends(process)
        assert end.code in (6, 7), end
        engine.start()
        time.sleep(1)
        assert "omni" not in broken.running(), "what was stopped was started with the engine"
        give_the_word(broken, "training")
        broken.run("recover", expect=None)
        assert set(broken.running()) in LEGAL
        assert broken.run("status", "--format", "json").json["interrupted"] is None
    witness.require(audio_starts=0, training_starts=1)


@deep
def test_a_container_that_will_not_die_stops_the_switch(broken: Lab, engine: PrivateEngine) -> None:
    broken.run("audio", "omni", STOP_GRACE="1s")
    shim = engine.shim_of(broken.running()["omni"][0])
    shim.suspend()
    try:
        end = broken.run("training", expect=None)
    finally:
        shim.resume()
    assert end.code in (1, 6, 7), end
    assert "training" not in broken.running()
    broken.run("recover")
    assert set(broken.running()) in LEGAL or broken.running() == {}


def test_what_the_engine_calls_running_counts_as_active_though_its_process_is_dead(broken: Lab, engine: PrivateEngine) -> None:
    broken.run("audio", "omni", STOP_GRACE="1s")
    id_ = broken.running()["omni"][0]
    shim, process = engine.shim_of(id_), engine.process_of(id_)
    shim.suspend()
    try:
        process.kill()
        until(lambda: process.status() == psutil.STATUS_ZOMBIE)
        assert "omni" in broken.running(), "the engine does not lie"
        with Witness(broken.project, engine.host) as witness:
            assert broken.run("training", expect=None).code in (1, 6, 7)
            assert "training" not in broken.running()
    finally:
        shim.resume()
    witness.require(audio_starts=0, training_starts=0)
    broken.run("recover")
    assert set(broken.running()) in LEGAL or broken.running() == {}


def policies(lab: Lab) -> dict[str, str]:
    """Return the restart policy of each service's container."""
    return {one["service"]: one["policy"] for one in lab.containers()}


@pytest.fixture
def guarded(broken: Lab) -> Iterator["subprocess.Popen[str]"]:
    """A guard of the lab on the engine that may be broken."""
    process = broken.spawn("guard")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("guarding")
    yield process
    process.terminate()
    process.communicate()


def test_what_a_switch_stopped_stays_stopped_over_a_restart_and_gets_its_policy_back(broken: Lab, engine: PrivateEngine) -> None:
    broken.run("audio", "omni")
    assert policies(broken) == {"omni": "always"}
    broken.run("training")
    assert policies(broken)["omni"] == "no"
    assert "after a reboot stopped, as now" in broken.run("status").out
    engine.restart()
    until(broken.containers)
    assert "omni" not in broken.running()
    broken.run("audio", "omni")
    assert policies(broken) == {"omni": "always", "training": "no"}
    engine.restart()
    until(lambda: "omni" in broken.running())
    assert "training" not in broken.running()


@pytest.mark.usefixtures("guarded")
def test_after_a_restart_of_the_engine_with_both_sides_wanting_to_run_one_side_runs(broken: Lab, engine: PrivateEngine) -> None:
    broken.run("audio", "omni")
    omni = broken.running()["omni"][0]
    broken.run("training", "--yes")
    engine.docker("update", "--restart=always", omni)
    engine.docker("update", "--restart=always", broken.running()["training"][0])
    engine.restart()
    until(lambda: engine.docker("inspect", "--format", "{{.State.StartedAt}}", omni) and "training" in broken.running())
    until(lambda: set(broken.running()) == {"training"})
    until(lambda: policies(broken)["omni"] == "no")


def test_a_guard_waits_for_a_frozen_engine_and_then_sees_what_happened(
    broken: Lab, engine: PrivateEngine, guarded: "subprocess.Popen[str]"
) -> None:
    broken.run("audio", "omni")
    omni = broken.running()["omni"][0]
    broken.run("training", "--yes")
    engine.freeze()
    time.sleep(2)
    with subprocess.Popen(["docker", "--host", engine.host, "start", omni], stdout=subprocess.DEVNULL) as start:
        time.sleep(1)
        assert guarded.poll() is None
        engine.thaw()
        start.wait(60)
    until(lambda: [one for one in broken.run("history", "--format", "json").json if one["by"] == "guard"])
    until(lambda: set(broken.running()) == {"training"})
    assert guarded.poll() is None


def processes_of(id_: str) -> list[int]:
    """Return the processes of a container, whatever its engine knows of them."""
    return [pid for pid in psutil.pids() if container_of_pid(pid) == id_]


def is_training(pid: int) -> bool:
    """Say whether a process is the training itself, and no more what starts it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return "training" in psutil.Process(pid).cmdline()
    return False


def killed_as_it_begins(broken: Lab, engine: PrivateEngine) -> str:
    """Kill the engine as the process of a training begins, and start it again; return the training's container."""
    switch = broken.spawn("training")
    found = ["ps", "--all", "--quiet", "--no-trunc", "--filter", "label=com.docker.compose.service=training"]
    until(lambda: bool(engine.docker(*found).strip()))
    id_ = engine.docker(*found).strip()
    known, begun = {*psutil.pids()}, time.monotonic()
    while not any(container_of_pid(pid) == id_ and is_training(pid) for pid in {*psutil.pids()} - known):
        assert time.monotonic() - begun < 60
    engine.kill()
    assert ends(switch).code != 0
    engine.start()
    return id_


@pytest.mark.skipif(not DEEP, reason="an engine that was killed takes its time to come back: make test-deep")
@pytest.mark.parametrize("verb", ["restore", "stop"])
def test_what_an_engine_that_was_killed_does_not_know_to_run_is_ended_before_the_other_side_starts(
    broken: Lab, engine: PrivateEngine, verb: str
) -> None:
    for _ in range(6):
        broken.run("audio", "omni")
        id_ = killed_as_it_begins(broken, engine)
        if processes_of(id_) and "training" not in broken.running():
            break
        broken.run("recover", expect=None)
    else:
        pytest.skip("it was never killed in that moment")
    outcome = broken.run(verb)
    assert "runs, and Docker, which was killed as that began, does not know it: it is started anew" in outcome.err
    assert processes_of(id_) == []
    assert set(broken.running()) == ({"omni"} if verb == "restore" else set())
