"""What the tests on Slurm have in common: which there can be, how a mode is queued, and what is waited for."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.deep import DEEP
from tests.engine.clean_tree import is_possible
from tests.engine.conftest import PROJECT
from tests.engine.lab import Lab, docker, until
from tests.engine.slurm_cluster import SlurmCluster
from tests.engine.witness import Witness

OWN = f"{PROJECT}-slurm"
ON_SLURM = [
    pytest.mark.skipif(not DEEP, reason="a Debian with Slurm takes minutes: make test-deep"),
    pytest.mark.skipif(not is_possible(), reason="root, an engine and debootstrap are needed: scripts/debian.sh"),
    pytest.mark.xdist_group("slurm"),
]
TRAINING, OMNI = "training", "audio omni"
SPARK_MODE = "spark-mode -C /srv/lab"
STATUS = f"{SPARK_MODE} fleet status"


@contextmanager
def witnessed(audio: int, training: int, project: str = OWN) -> Iterator[Witness]:
    """See that both sides were started so often at least, and never overlapped."""
    with Witness(project) as witness:
        yield witness
    witness.require(audio_starts=audio, training_starts=training)


def runs(outside: Lab, *services: str) -> None:
    """Wait until these services run and no other, and training makes progress: it can write a checkpoint by then."""
    until(lambda: {*outside.running()} == {*services}, pause=0.1)
    if "training" in services:
        until(lambda: "is ready" in docker("logs", outside.id_of("training")), pause=0.1)


def held(cluster: SlurmCluster) -> list[str]:
    """Return the jobs that hold something, as the machine says it."""
    return [one["job"] for one in json.loads(cluster.run(f"{SPARK_MODE} status --format json", "ann"))["jobs"]]


def states(cluster: SlurmCluster) -> dict[str, str]:
    """Return the state of each machine, as Slurm has it."""
    return dict(line.split() for line in cluster.run("sinfo --noheader --Node --format='%N %T'", expect=None).splitlines())
