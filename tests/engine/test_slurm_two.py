"""A queue of two machines: what becomes of one that is cut off, and of a mode that has both."""

from tests.engine.lab import Lab, docker, until
from tests.engine.on_slurm import OMNI, ON_SLURM, SPARK_MODE, TRAINING, runs, states, witnessed
from tests.engine.slurm_cluster import SECOND, SlurmCluster

pytestmark = ON_SLURM


def test_a_machine_that_is_cut_off_goes_on_and_is_given_work_by_resume_alone(both: SlurmCluster, beyond: Lab) -> None:
    with witnessed(1, 1, beyond.project):
        there = f"--nodelist={SECOND}"
        job = both.submit(TRAINING, more=there)
        runs(beyond, "training")
        before = beyond.running()
        both.reaches(both.second, False)
        until(lambda: "down" in states(both)[SECOND], pause=0.5)
        waits = both.submit(OMNI, more=there)
        both.run(f"scontrol hold {job}", expect=None)
        assert beyond.running() == before
        assert f"training is held: job {job}" in both.second.run(f"{SPARK_MODE} {OMNI}", "ann", expect=4)
        assert both.state(waits) == "PENDING"
        both.reaches(both.second, True)
        until(lambda: "*" not in states(both)[SECOND], pause=0.5)
        assert "down" in states(both)[SECOND]
        assert both.state(waits) == "PENDING"
        assert f"{SECOND} is given work again" in both.second.run(f"{SPARK_MODE} fleet resume {SECOND}")
        runs(beyond, "omni")


def both_train(both: SlurmCluster, outside: Lab, beyond: Lab, fault: str = "") -> str:
    """Have both machines train for one job, and return it."""
    said = both.run(f"TRAINING_FAULT={fault} {SPARK_MODE} fleet run training -N 2", "ann")
    runs(outside, "training")
    runs(beyond, "training")
    return said.split()[1].rstrip(":")


def test_a_mode_that_has_two_machines_ends_on_both_when_it_fails_on_one(both: SlurmCluster, outside: Lab, beyond: Lab) -> None:
    with witnessed(0, 1), witnessed(0, 1, beyond.project):
        job = both_train(both, outside, beyond)
        docker("kill", beyond.id_of("training"))
        runs(outside)
        until(lambda: both.state(job) == "FAILED", pause=0.2)
        assert "wrote the checkpoint at step" in docker("logs", outside.id_of("training"))


def test_what_has_two_machines_makes_way_on_both_with_its_checkpoint(both: SlurmCluster, outside: Lab, beyond: Lab) -> None:
    with witnessed(1, 1), witnessed(0, 1, beyond.project):
        job = both_train(both, outside, beyond, "slow-stop=3")
        ids = outside.id_of("training"), beyond.id_of("training")
        both.submit(OMNI, more=f"--nodelist={both.name}")
        runs(beyond)
        runs(outside, "omni")
        until(lambda: both.state(job) == "PENDING", pause=0.2)
        for one in ids:
            assert "wrote the checkpoint at step" in docker("logs", one)
