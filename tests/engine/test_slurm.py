"""Slurm in front of a machine's own rule: real daemons, real jobs, the machine's engine, and the witness who sees both sides.

Slurm alone does not keep two sides apart: the same jobs without the rule are seen to overlap.
"""

import json
import os
import time
from datetime import datetime
from typing import NamedTuple

from tests.engine.lab import Lab, docker, until
from tests.engine.on_slurm import OMNI, ON_SLURM, OWN, SPARK_MODE, STATUS, TRAINING, held, runs, states, witnessed
from tests.engine.slurm_cluster import NAME, SlurmCluster
from tests.engine.witness import Witness, nanoseconds

pytestmark = ON_SLURM
SAYS_WHEN = "#!/bin/sh\ndate +%s.%N\n"


def test_what_has_room_begins_within_two_seconds(cluster: SlurmCluster) -> None:
    took = []
    for _ in range(3):
        asked = time.time()
        job = cluster.submit_script(SAYS_WHEN, TRAINING)
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
        second = cluster.submit(OMNI)
        runs(outside, "omni")
        log = docker("logs", id_)
        step = int(log.rpartition("wrote the checkpoint at step ")[2].split()[0])
        until(lambda: cluster.state(first) == "PENDING")
        cluster.run(f"scancel {second}", "ann")
        cluster.run(f"scontrol update jobid={first} starttime=now")
        runs(outside, "training")
        until(lambda: f"resumed from the checkpoint at step {step}" in docker("logs", outside.running()["training"][0]))


class Way(NamedTuple):
    """How long it took, in seconds, until what makes way was asked to stop, had stopped, and who asked for it began."""

    asked: float
    stopped: float
    next: float


def makes_way(cluster: SlurmCluster, outside: Lab, checkpoint: int) -> Way:
    """Have a training make way whose checkpoint takes so many seconds."""
    first = cluster.submit(TRAINING, TRAINING_FAULT=f"slow-stop={checkpoint}")
    runs(outside, "training")
    until(lambda: held(cluster))
    id_ = outside.id_of("training")
    queued = time.time()
    second = cluster.submit_script(SAYS_WHEN, OMNI)
    until(lambda: cluster.said(second), pause=0.05)
    lines = [line.split(" ", 1) for line in docker("logs", "--timestamps", id_).splitlines()]
    said = {text: nanoseconds(moment) / 1e9 for moment, text in lines}
    cluster.run(f"scancel {first}", "ann")
    until(lambda: not cluster.run("squeue --noheader"), pause=0.2)
    return Way(said["stopping"] - queued, said["training stopped"] - queued, float(cluster.said(second)) - queued)


def test_what_makes_way_is_gone_a_second_after_its_checkpoint(cluster: SlurmCluster, outside: Lab) -> None:
    seen = [makes_way(cluster, outside, 3) for _ in range(5)]  # Slurm looks once a second
    print(*seen, sep="\n")  # noqa: T201 - docs/fleet.md has it
    assert min(one.stopped for one in seen) <= 3 + 1


def down_and_up(cluster: SlurmCluster, outside: Lab, ruled: bool) -> None:
    """Train, have the machine said to be down and given work again, and queue audio: Slurm thinks it free by then."""
    first = cluster.submit(TRAINING, ruled, TRAINING_FAULT="slow-stop=15")
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


def heal(cluster: SlurmCluster) -> None:
    """Do what docs/fleet.md says where Slurm has begun a job twice, which its controller had not written down: it drains then."""
    if "drain" in states(cluster).get(NAME, ""):
        cluster.run(f"{SPARK_MODE} fleet resume {NAME}", expect=None)
        cluster.run("for job in $(squeue --noheader --format=%i); do scontrol release $job; done", expect=None)
        cluster.run("for job in $(squeue --noheader --format=%i); do scontrol update jobid=$job starttime=now; done", expect=None)


def test_the_controller_may_die_while_a_job_comes_begins_and_ends(cluster: SlurmCluster, outside: Lab) -> None:
    def anew() -> None:
        cluster.run("pkill -KILL --exact slurmctld; sleep 0.3; slurmctld", expect=None)
        until(lambda: "UP" in cluster.run("scontrol ping", expect=None), pause=0.2)

    def reaches(job: str, service: str) -> bool:
        heal(cluster)
        return cluster.state(job) == "RUNNING" and {*outside.running()} == {service}

    with witnessed(audio=1, training=1):
        job = cluster.submit(TRAINING)
        anew()  # it may have forgotten the job, of which nothing is on the disk yet
        job = job if cluster.state(job) else cluster.submit(TRAINING)
        until(lambda: "training" in {one["service"] for one in outside.containers()}, pause=0.1)
        anew()
        until(lambda: reaches(job, "training"), pause=1)
        second = cluster.submit(OMNI)
        until(lambda: cluster.state(job) != "RUNNING", pause=0.1)
        anew()  # here as well
        second = second if cluster.state(second) else cluster.submit(OMNI)
        until(lambda: reaches(second, "omni"), pause=1)


def test_an_epilog_that_fails_drains_the_machine_and_nothing_begins_there(cluster: SlurmCluster, outside: Lab) -> None:
    epilog = cluster.root / "etc/slurm/spark-mode-epilog"
    with witnessed(audio=0, training=1):
        job = cluster.submit(TRAINING)
        runs(outside, "training")
        until(lambda: held(cluster))
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


def test_an_epilog_that_hangs_keeps_the_machine_and_drains_it_in_the_end(slurm: SlurmCluster, outside: Lab) -> None:
    slurm.start("SlurmdTimeout=5\nPrologEpilogTimeout=15\n")
    epilog = slurm.root / "etc/slurm/spark-mode-epilog"
    text = epilog.read_text()
    with witnessed(audio=1, training=1):
        job = slurm.submit(TRAINING)
        runs(outside, "training")
        until(lambda: held(slurm))
        epilog.write_text("#!/bin/sh\nexec sleep 1000\n")
        slurm.run("pkill -KILL --full '[s]park_mode.cli .*hold'")
        until(lambda: slurm.state(job) in ("COMPLETING", "FAILED"), pause=0.2)
        waits = slurm.submit(OMNI)
        until(lambda: "drain" in states(slurm)[NAME], pause=0.5)
        assert slurm.state(waits) == "PENDING"
        assert {*outside.running()} == {"training"}
        assert f"job {job} holds training there, and is not there for Slurm" in slurm.run(STATUS, "ann")
        assert f"training is held: job {job}" in slurm.run(f"spark-mode -C /srv/lab {OMNI}", "ann", expect=4)
        epilog.write_text(text)
        assert f"what job {job} had left there is stopped" in slurm.run(f"spark-mode -C /srv/lab fleet resume {NAME}")
        runs(outside, "omni")
    slurm.end()


def test_a_prolog_that_fails_touches_nothing(slurm: SlurmCluster, outside: Lab) -> None:
    with witnessed(audio=1, training=0):
        prolog = slurm.root / "etc/slurm/prolog"
        prolog.write_text("#!/bin/sh\nexit 1\n")
        prolog.chmod(0o755)
        slurm.start("SlurmdTimeout=5\nProlog=/etc/slurm/prolog\n")
        slurm.run("spark-mode -C /srv/lab audio omni", "ann")
        before = outside.running()
        job = slurm.submit(TRAINING)
        until(lambda: "drain" in slurm.run("sinfo --noheader --format=%t"), pause=0.2)
        assert outside.running() == before
        slurm.run(f"scancel {job}", expect=None)
        slurm.end()


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
        assert f"{NAME} is given work as before" in cluster.run(f"spark-mode -C /srv/lab fleet resume {NAME}")
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
