"""Whatever is done to Slurm, to its jobs and past it, in any order: on a machine that keeps its rule one side runs.

That this witness sees what Slurm alone does not keep apart is shown in test_slurm.py.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.engine.lab import Lab, until
from tests.engine.on_slurm import OMNI, ON_SLURM, OWN, SPARK_MODE, TRAINING, held, states
from tests.engine.slurm_cluster import NAME, SlurmCluster
from tests.engine.witness import Witness

pytestmark = ON_SLURM

PIECE = 50
PIECES = max(1, int(os.environ.get("SPARK_MODE_SLURM_OPERATIONS", "50")) // PIECE)
"""How many operations there are in all; they are done in pieces, each with a beginning and an end."""
BEGUN_ANEW = """for job in $(squeue --noheader --states=PENDING --format=%i)
do scontrol release $job; scontrol update jobid=$job starttime=now; done"""


class Hand:
    """Whoever does something to a cluster at random."""

    def __init__(self, cluster: SlurmCluster, witness: Witness, chance: random.Random) -> None:
        self._cluster, self._witness, self._chance = cluster, witness, chance
        self._jobs = ["1"]
        self.done: Counter[str] = Counter()
        self.said: Counter[str] = Counter()
        self.texts: list[str] = []

    def acts(self) -> None:
        """Do one thing, and wait a moment."""
        kinds: tuple[Callable[[], None], ...] = (
            *(self.queues,) * 4,
            self.has_audio_go_first,
            *(self.ends,) * 3,
            self.queues_again,
            self.says_down_and_up,
            self.kills_slurm,
            self.hangs,
            self.kills_a_job,
            self.starts_by_hand,
            self.switches,
            self.resumes,
        )
        what = self._chance.choice(kinds)
        self.done[what.__name__] += 1
        what()
        self._ask(f"{BEGUN_ANEW}; scontrol update nodename={NAME} state=resume")
        self._waits()

    def _waits(self) -> None:
        """Wait a moment, or until something has started, where it does soon."""
        seconds, had = self._chance.choice((1, 4, 15)) * self._chance.random(), self._witness.starts
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and (seconds < 4 or self._witness.starts == had):
            time.sleep(0.1)

    def queues(self, mode: str = "") -> None:
        mode = mode or self._chance.choice((TRAINING, TRAINING, OMNI))
        with suppress(AssertionError):  # no controller
            self._jobs.append(self._cluster.submit(mode, TRAINING_FAULT=f"slow-stop={self._chance.randrange(8)}"))

    def has_audio_go_first(self) -> None:
        self.queues(TRAINING)
        time.sleep(self._chance.random() * 5)
        self.queues(OMNI)

    def ends(self) -> None:
        running = self._ask("squeue --noheader --states=RUNNING --format=%i").split()[:1]
        self._ask(f"scancel {self._chance.choice([*running, self._jobs[-1]])}")

    def queues_again(self) -> None:
        self._ask(f"scontrol requeue {self._chance.choice(self._jobs)}")

    def says_down_and_up(self) -> None:
        self._ask(f"scontrol update nodename={NAME} state=down reason=test; scontrol update nodename={NAME} state=resume")

    def kills_slurm(self) -> None:
        program = self._chance.choice(("slurmctld", "slurmd"))
        self._ask(f"pkill -KILL --exact {program}; sleep 0.2; {program}")

    def hangs(self) -> None:
        seconds = self._chance.choice((1, 2, 8))  # after five it is down
        self._ask(f"pkill -STOP --exact slurmd; sleep {seconds}; pkill -CONT --exact slurmd")

    def kills_a_job(self) -> None:
        self._ask(self._chance.choice(("pkill -KILL --full '[s]park_mode.cli .*hold'", "pkill -KILL slurmstepd")))

    def starts_by_hand(self) -> None:
        one = self._chance.choice(("omni", "training"))
        self._tell("up", f"cd /srv/lab && docker compose --profile {one} up --detach --quiet-pull {one}")

    def switches(self) -> None:
        self._tell("switch", f"{SPARK_MODE} {self._chance.choice((TRAINING, OMNI, 'stop'))} --yes")

    def resumes(self) -> None:
        self._tell("resume", f"{SPARK_MODE} fleet resume {NAME}", "root")

    def _tell(self, what: str, command: str, user: str = "ann") -> None:
        """Run a command, and count how it ended; where Compose failed, with the gate's word or without one, as in a race."""
        text, _, code = self._ask(f"{command} 2>&1; echo $?", user).strip().rpartition("\n")
        gate = " by the gate" if (what, code) == ("up", "1") and "spark-mode: " in text else ""
        self.said[f"{what} {code}{gate}"] += 1
        if code != "0":
            self.texts.append(f"{what} {code}: {text.splitlines()[-1] if text else ''}")

    def _ask(self, command: str, user: str = "root") -> str:
        return self._cluster.run(command, user, expect=None)


@pytest.mark.parametrize("seed", range(PIECES))
def test_whatever_is_done_to_slurm_and_past_it_two_sides_never_run_together(
    cluster: SlurmCluster, outside: Lab, seed: int
) -> None:
    cluster.run(f"{SPARK_MODE} gate install", "ann")
    try:
        with Witness(OWN) as witness:
            hand = Hand(cluster, witness, random.Random(seed))
            for _ in range(PIECE):
                hand.acts()
                assert witness.overlaps == [], (hand.done, outside.containers())
        ended = cluster.run("squeue --noheader --states=all --format=%T", expect=None).split()
    finally:
        cluster.run(f"{SPARK_MODE} gate uninstall", "ann")
    print(f"{witness.starts} starts; {dict(hand.done)}; {dict(hand.said)}; {dict(Counter(ended))}", *hand.texts, sep="\n")  # noqa: T201 - for whoever looks
    witness.require(audio_starts=1, training_starts=1)
    cluster.run("scancel --user=ann", expect=None)
    until(lambda: f"{NAME} is given work" in cluster.run(f"{SPARK_MODE} fleet resume {NAME}", expect=None), pause=1)
    until(lambda: states(cluster)[NAME] == "idle", pause=0.5)
    assert held(cluster) == []
