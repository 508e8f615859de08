"""A mode as a job: the script that asks the machine itself, and a second look whether Slurm still knows the job."""

import os
import shlex
from collections.abc import Callable, Sequence

from spark_mode.errors import SwitchFailed
from spark_mode.fleet.beside_slurm import OURS
from spark_mode.fleet.slurm import QueuedJob, Slurm

LOOK_SECONDS = 10.0
"""A controller that dies within seconds of a job's coming forgets it: so long is waited before it is looked for again."""


def script_of(words: Sequence[str], lab: str, nodes: int) -> str:
    """Return the script of a job: the machine's own rule has the last word, and a SIGTERM goes to what holds the mode itself."""
    line = shlex.join(["spark-mode", "-C", lab, "hold", *words])
    step = "srun --ntasks-per-node=1 --kill-on-bad-exit=1 " if nodes > 1 else ""
    return f'#!/bin/sh\n# Queued by `spark-mode fleet run`.\nexec {step}{line} --job "$SLURM_JOB_ID"\n'


def options_of(mode: str, asked: Sequence[str], nodes: int, after: str | None, mark: str, folder: str) -> tuple[str, ...]:
    """Return what sbatch is asked for a job, which is known again by its mark, and writes into a folder."""
    more = [f"--nodes={nodes}", *([f"--dependency=afterany:{after}"] if after else [])]
    return (f"--job-name={mode}", f"--comment={mark}", f"--chdir={folder}", *asked, *more)


def new_mark() -> str:
    """Return what a job is known again by: its number may come back."""
    return f"{OURS}{os.urandom(6).hex()}"


def require_known(slurm: Slurm, job: str, mark: str, sleep: Callable[[float], None], seconds: float = LOOK_SECONDS) -> QueuedJob:
    """Return a job as Slurm has it some time after it was queued.

    Raises SwitchFailed where Slurm has forgotten it, and EngineUnavailable where it is not known.
    """
    sleep(seconds)
    known = next((one for one in slurm.jobs(all_states=True) if one.id == job and one.comment == mark), None)
    if known is None:
        message = f"Slurm has forgotten job {job}, which it had taken {seconds:g} s ago: its controller was begun anew meanwhile"
        raise SwitchFailed(message, "queue it again; see the queue: spark-mode fleet status")
    return known
