"""Slurm in front of a machine's own rule: real daemons, real jobs, the machine's engine, and the witness who sees both sides.

Slurm alone does not keep two sides apart: the same jobs without the rule are seen to overlap.
"""

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import pytest

from tests.engine.clean_tree import is_possible
from tests.engine.conftest import PROJECT
from tests.engine.lab import Lab, docker, until
from tests.engine.slurm_cluster import NAME, SlurmCluster, slurm_cluster
from tests.engine.witness import Witness

pytestmark = [
    pytest.mark.skipif(os.environ.get("SPARK_MODE_DEEP") != "1", reason="a Debian with Slurm takes minutes: make test-deep"),
    pytest.mark.skipif(not is_possible(), reason="root, an engine and debootstrap are needed: scripts/debian.sh"),
    pytest.mark.xdist_group("slurm"),
]
OWN = f"{PROJECT}-slurm"
TRAINING, OMNI = "training", "audio omni"
STATUS = "spark-mode -C /srv/lab fleet status"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """A tree with Slurm."""
    with slurm_cluster(tmp_path_factory.mktemp("cluster"), OWN) as one:
        yield one


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Lab]:
    """The cluster's lab as somebody outside sees it: nothing runs there, before and after."""
    one = Lab(OWN, tmp_path)
    one.down()
    yield one
    one.down()


@pytest.fixture
def cluster(installed: SlurmCluster, outside: Lab) -> Iterator[SlurmCluster]:
    """Slurm with no job; a machine that says nothing for a few seconds is down."""
    assert outside.running() == {}
    installed.start("SlurmdTimeout=5\n")
    yield installed
    installed.end()


@contextmanager
def witnessed(audio: int, training: int) -> Iterator[Witness]:
    """See that both sides were started so often at least, and never overlapped."""
    with Witness(OWN) as witness:
        yield witness
    witness.require(audio_starts=audio, training_starts=training)


def runs(outside: Lab, *services: str) -> None:
    """Wait until these services run and no other, and training makes progress: it can write a checkpoint by then."""
    until(lambda: {*outside.running()} == {*services}, pause=0.1)
    if "training" in services:
        until(lambda: "is ready" in docker("logs", outside.id_of("training")), pause=0.1)


def held(cluster: SlurmCluster) -> list[str]:
    """Return the jobs that hold something, as the machine says it."""
    return [one["job"] for one in json.loads(cluster.run("spark-mode -C /srv/lab status --format json", "ann"))["jobs"]]


def test_what_has_room_begins_within_two_seconds(cluster: SlurmCluster) -> None:
    script = cluster.folder.parent / "jobs/says-when.sh"
    script.write_text("#!/bin/sh\ndate +%s.%N\n")
    took = []
    for _ in range(3):
        asked = time.time()
        job = cluster.run("sbatch --parsable --partition=training --output=/srv/jobs/%j.out says-when.sh", "ann").strip()
        until(lambda job=job: cluster.said(job), pause=0.05)  # type: ignore[misc]
        took.append(float(cluster.said(job)) - asked)
        until(lambda job=job: cluster.state(job) == "COMPLETED")  # type: ignore[misc]
    assert min(took) <= 2, took


def test_a_job_holds_the_machine_and_ends_with_its_run(cluster: SlurmCluster, outside: Lab) -> None:
    with witnessed(audio=0, training=1):
        job = cluster.submit(TRAINING)
        runs(outside, "training")
        until(lambda: f"job {job} of ann holds" in cluster.run("spark-mode -C /srv/lab status", "ann"))
        refused = cluster.run(f"spark-mode -C /srv/lab {OMNI}", "ann", expect=4)
        assert f"training is held: job {job} of ann holds training since" in refused
        docker("stop", outside.running()["training"][0])
        until(lambda: cluster.state(job) == "COMPLETED")
    assert "training of job" in cluster.said(job)


def test_what_makes_way_writes_its_checkpoint_and_goes_on_from_it(cluster: SlurmCluster, outside: Lab) -> None:
    with witnessed(audio=1, training=2):
        first = cluster.submit(TRAINING, TRAINING_FAULT="slow-stop=3")
        runs(outside, "training")
        id_ = outside.id_of("training")
        begun = time.monotonic()
        second = cluster.submit(OMNI)
        runs(outside)
        took = time.monotonic() - begun
        runs(outside, "omni")
        log = docker("logs", id_)
        step = int(log.rpartition("wrote the checkpoint at step ")[2].split()[0])
        assert took < 3 + 5, "the checkpoint, a look of Slurm's, and a stop on a machine that has more to do"
        until(lambda: cluster.state(first) == "PENDING")
        cluster.run(f"scancel {second}", "ann")
        cluster.run(f"scontrol update jobid={first} starttime=now")
        runs(outside, "training")
        until(lambda: f"resumed from the checkpoint at step {step}" in docker("logs", outside.running()["training"][0]))


def down_and_up(cluster: SlurmCluster, outside: Lab, ruled: bool) -> None:
    """Train, have the machine said to be down and given work again, and queue audio: Slurm thinks it free by then."""
    first = cluster.submit(TRAINING, ruled, TRAINING_FAULT="slow-stop=5")
    runs(outside, "training")
    cluster.run(f"scontrol update nodename={NAME} state=down reason=test")
    cluster.run(f"scontrol hold {first}", expect=None)
    cluster.run(f"scontrol update nodename={NAME} state=resume")
    cluster.submit(OMNI, ruled)
    until(lambda: "omni" in outside.running())


def test_a_machine_that_is_down_and_given_work_again_has_one_side(cluster: SlurmCluster, outside: Lab) -> None:
    with witnessed(audio=1, training=1):
        down_and_up(cluster, outside, ruled=True)


def test_the_same_without_the_rule_is_seen_to_overlap(cluster: SlurmCluster, outside: Lab) -> None:
    with Witness(OWN) as witness:
        down_and_up(cluster, outside, ruled=False)
        time.sleep(1)
    assert witness.overlaps, "Slurm alone keeps nothing apart here, or the witness is blind"


def test_slurmd_that_hangs_and_goes_on_starts_nothing_beside_what_runs(cluster: SlurmCluster, outside: Lab) -> None:
    with witnessed(audio=1, training=1):
        first = cluster.submit(TRAINING, TRAINING_FAULT="slow-stop=3")
        runs(outside, "training")
        cluster.run("pkill -STOP --exact slurmd")
        until(lambda: "down" in cluster.run("sinfo --noheader --format=%t", expect=None), pause=0.5)
        cluster.run(f"scontrol hold {first}", expect=None)
        second = cluster.submit(OMNI)
        cluster.run("pkill -CONT --exact slurmd")
        cluster.run(f"scontrol update nodename={NAME} state=resume")
        until(lambda: cluster.state(second) == "RUNNING", pause=0.2)
        runs(outside, "omni")


def test_what_somebody_has_started_by_hand_on_a_machine_that_slurm_thinks_free_makes_way(
    cluster: SlurmCluster, outside: Lab
) -> None:
    with witnessed(audio=1, training=1):
        cluster.run("cd /srv/lab && docker compose --profile omni up --detach --quiet-pull", "ann")
        runs(outside, "omni")
        assert "audio omni runs there, which no job has: Slurm thinks it free" in cluster.run(STATUS, "ann")
        cluster.submit(TRAINING)
        runs(outside, "training")


def test_a_training_by_hand_is_left_and_the_job_is_queued_again(cluster: SlurmCluster, outside: Lab) -> None:
    with witnessed(audio=0, training=1):
        cluster.run("spark-mode -C /srv/lab training", "ann")
        before = outside.running()
        job = cluster.submit(OMNI)
        until(lambda: "has no place here now" in cluster.said(job))
        until(lambda: cluster.state(job) == "PENDING")
        assert cluster.of(job, "ExitCode") == "75:0"
        assert outside.running() == before


def test_an_epilog_said_twice_stops_once_and_leaves_what_another_job_has(cluster: SlurmCluster, outside: Lab) -> None:
    with witnessed(audio=1, training=1):
        first = cluster.submit(TRAINING)
        runs(outside, "training")
        start = datetime.fromisoformat(cluster.of(first, "StartTime")).astimezone().timestamp()
        cluster.run(f"scancel {first}", "ann")
        runs(outside)
        cluster.submit(OMNI)
        runs(outside, "omni")
        for _ in range(2):
            cluster.run(f"SLURM_JOB_ID={first} SLURM_JOB_START_TIME={start:.0f} /etc/slurm/spark-mode-epilog")
        assert {*outside.running()} == {"omni"}


def test_a_job_that_is_killed_at_once_is_ended_by_its_epilog(cluster: SlurmCluster, outside: Lab) -> None:
    with witnessed(audio=1, training=1):
        job = cluster.submit(TRAINING, TRAINING_FAULT="slow-stop=3")
        runs(outside, "training")
        cluster.run("pkill -KILL --full '[s]park_mode.cli .*hold'")
        until(lambda: cluster.state(job) == "FAILED", pause=0.2)
        cluster.submit(OMNI)
        runs(outside, "omni")


def test_a_number_that_comes_back_ends_nothing_of_the_job_that_has_it_now(cluster: SlurmCluster, outside: Lab) -> None:
    with witnessed(audio=1, training=1):
        job = cluster.submit(TRAINING)
        runs(outside, "training")
        until(lambda: held(cluster))
        (former,) = held(cluster)
        cluster.killed()
        cluster.run("rm -rf /var/lib/slurm/slurmctld/*")
        cluster.run("slurmctld")
        assert cluster.submit(OMNI) == job
        cluster.run("slurmd")  # which ends what its controller does not know any more, at once

        def begins() -> bool:
            if "dr" in cluster.run("sinfo --noheader --format=%t"):  # where it begins before the former one's epilog has ended
                cluster.run(f"spark-mode -C /srv/lab fleet resume {NAME}", expect=None)
                cluster.run(f"scontrol release {job}; scontrol update jobid={job} starttime=now", expect=None)
            return {*outside.running()} == {"omni"}

        until(begins, pause=1)
        until(lambda: held(cluster))
        for one in (former, f"{job}:1"):
            assert "holds nothing here" in cluster.run(f"spark-mode -C /srv/lab release --job {one}")
        assert {*outside.running()} == {"omni"}


def test_the_controller_may_die_while_a_job_comes_begins_and_ends(cluster: SlurmCluster, outside: Lab) -> None:
    def anew() -> None:
        cluster.run("pkill -KILL --exact slurmctld; sleep 0.3; slurmctld", expect=None)

    with witnessed(audio=1, training=1):
        job = cluster.submit(TRAINING)
        anew()  # it may have forgotten the job, of which nothing is on the disk yet
        job = job if cluster.state(job) else cluster.submit(TRAINING)
        until(lambda: "training" in {one["service"] for one in outside.containers()}, pause=0.1)
        anew()
        runs(outside, "training")
        until(lambda: cluster.state(job) == "RUNNING", pause=0.2)
        second = cluster.submit(OMNI)
        until(lambda: cluster.state(job) in ("COMPLETING", "PENDING"), pause=0.1)
        anew()
        second = second if cluster.state(second) else cluster.submit(OMNI)
        runs(outside, "omni")


def test_an_epilog_that_fails_drains_the_machine_and_nothing_begins_there(cluster: SlurmCluster, outside: Lab) -> None:
    epilog = cluster.root / "etc/slurm/spark-mode-epilog"
    with witnessed(audio=0, training=1):
        job = cluster.submit(TRAINING)
        runs(outside, "training")
        text = epilog.read_text()
        epilog.write_text("#!/bin/sh\nexit 7\n")
        cluster.run("pkill -KILL --full '[s]park_mode.cli .*hold'")
        until(lambda: "drain" in cluster.run("sinfo --noheader --format=%t"), pause=0.2)
        waits = cluster.submit(OMNI)
        time.sleep(3)
        assert cluster.state(waits) == "PENDING"
        assert {*outside.running()} == {"training"}
        epilog.write_text(text)
        assert f"job {job}" in cluster.run(STATUS, "ann")
        cluster.run(f"scancel {waits}", "ann")
        assert f"what job {job} had left there is stopped" in cluster.run(f"spark-mode -C /srv/lab fleet resume {NAME}")
        assert outside.running() == {}


def test_a_prolog_that_fails_touches_nothing(installed: SlurmCluster, outside: Lab) -> None:
    with witnessed(audio=1, training=0):
        prolog = installed.root / "etc/slurm/prolog"
        prolog.write_text("#!/bin/sh\nexit 1\n")
        prolog.chmod(0o755)
        installed.start("SlurmdTimeout=5\nProlog=/etc/slurm/prolog\n")
        installed.run("spark-mode -C /srv/lab audio omni", "ann")
        before = outside.running()
        job = installed.submit(TRAINING)
        until(lambda: "drain" in installed.run("sinfo --noheader --format=%t"), pause=0.2)
        assert outside.running() == before
        installed.run(f"scancel {job}", expect=None)
        installed.end()


def test_a_machine_is_given_work_again_once_what_a_job_had_left_there_is_stopped(cluster: SlurmCluster, outside: Lab) -> None:
    with witnessed(audio=0, training=1):
        cluster.run("spark-mode -C /srv/lab hold training --job 77:5 >/dev/null 2>&1 &", "ann")
        until(lambda: "job 77" in cluster.run("spark-mode -C /srv/lab status", "ann"))
        cluster.run("pkill -KILL --full '[s]park_mode.cli .*hold'")
        cluster.run(f"scontrol update nodename={NAME} state=drain reason=test")
        assert "job 77 holds training there, and is not there for Slurm" in cluster.run(STATUS, "ann")
        assert "as root" in cluster.run(f"spark-mode -C /srv/lab fleet resume {NAME}", "ann", expect=4)
        resumed = cluster.run(f"spark-mode -C /srv/lab fleet resume {NAME}")
        assert f"{NAME} is given work again" in resumed
        assert outside.running() == {}
        assert "idle" in cluster.run("sinfo --noheader --format=%t")


def test_fleet_run_queues_status_shows_and_stop_ends(cluster: SlurmCluster, outside: Lab) -> None:
    said = cluster.run("spark-mode -C /srv/lab fleet run training", "ann")
    assert f"running on {NAME}" in said
    job = said.split()[1].rstrip(":")
    seen = json.loads(cluster.run(f"{STATUS} --format json", "ann"))
    assert [(one["id"], one["state"]) for one in seen["jobs"]] == [(job, "RUNNING")]
    assert seen["differences"] == []
    assert seen["nodes"][NAME]["status"]["mode"] == "training"
    assert "is being ended" in cluster.run(f"spark-mode -C /srv/lab fleet stop {job}", "ann")
    runs(outside)
    site = f"--cpus={os.cpu_count()} --program=/usr/local/bin/spark-mode"
    assert "Slurm is as rules.yaml has it" in cluster.run(f"spark-mode -C /srv/lab fleet check {site}")


OPERATIONS = int(os.environ.get("SPARK_MODE_SLURM_OPERATIONS", "40"))


def test_whatever_is_done_to_slurm_two_sides_never_run_together(cluster: SlurmCluster) -> None:
    """Jobs come and are ended, the controller and slurmd are killed or hang, the machine is down and given work again."""
    chance = random.Random(24)
    jobs = ["1"]

    def ask(command: str) -> None:
        cluster.run(command, expect=None)

    def submit(mode: str) -> None:
        with suppress(AssertionError):  # no controller
            jobs.append(cluster.submit(mode, TRAINING_FAULT=f"slow-stop={chance.randrange(4)}"))

    def end() -> None:
        ask(f"scancel {chance.choice(jobs)}")

    def down_and_given_work() -> None:
        ask(f"scontrol update nodename={NAME} state=down reason=test; scontrol update nodename={NAME} state=resume")

    def anew() -> None:
        program = chance.choice(("slurmctld", "slurmd"))
        ask(f"pkill -KILL --exact {program}; sleep 0.2; {program}")

    def hangs() -> None:
        ask("pkill -STOP --exact slurmd; sleep 2; pkill -CONT --exact slurmd")

    def kill() -> None:
        ask(chance.choice(("pkill -KILL --full '[s]park_mode.cli .*hold'", "pkill -KILL slurmstepd")))

    operations = (submit, submit, submit, submit, end, down_and_given_work, anew, hangs, kill)
    with Witness(OWN) as witness:
        for count in range(OPERATIONS):
            what = chance.choice(operations)
            if what is submit:
                submit(OMNI if count % 3 == 2 else TRAINING)
            else:
                what()  # type: ignore[call-arg]
            ask("for job in $(squeue --noheader --states=PENDING --format=%i); do scontrol update jobid=$job starttime=now; done")
            ask(f"scontrol update nodename={NAME} state=resume")
            time.sleep(1 + chance.random() * 4)
    witness.require(audio_starts=1, training_starts=1)
