"""What Slurm thinks of machines beside what each of them says of itself: pure, and the second counts."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from spark_mode.fleet.slurm import BEGUN, QueuedJob, QueueNode

OURS = "spark-mode "
"""How the comment begins of a job that `fleet run` has queued."""


class HeldJob(NamedTuple):
    """What a machine says that a job holds there."""

    id: str
    start: int | None
    request: str


def held_jobs(status: Mapping[str, Any]) -> tuple[HeldJob, ...]:
    """Return the jobs that hold something, by a machine's own status."""
    found = []
    for one in status.get("jobs") or ():
        number, _, start = str(one.get("job")).partition(":")
        found.append(HeldJob(number, int(start) if start.isdecimal() else None, str(one.get("request"))))
    return tuple(found)


def left_behind(node: str, status: Mapping[str, Any], jobs: Iterable[QueuedJob]) -> tuple[HeldJob, ...]:
    """Return the jobs that hold something on a machine, and are not there for Slurm."""
    there = {(one.id, start) for one in jobs if node in one.nodes and one.state in BEGUN for start in (one.start, None)}
    return tuple(one for one in held_jobs(status) if (one.id, one.start) not in there)


def differences(
    jobs: Iterable[QueuedJob], nodes: Iterable[QueueNode], statuses: Mapping[str, Mapping[str, Any] | None]
) -> Iterator[tuple[str, str]]:
    """Yield where Slurm and a machine differ, each with what to do."""
    jobs = tuple(jobs)
    for node in nodes:
        status = statuses.get(node.name)
        if status is None:
            yield f"{node.name}: what runs there is unknown, whatever Slurm thinks", f"ask it: spark-mode -H {node.name} status"
            continue
        here = [one for one in jobs if node.name in one.nodes and one.state in BEGUN]
        held = held_jobs(status)
        for one in left_behind(node.name, status, jobs):
            message = f"{node.name}: job {one.id} holds {one.request} there, and is not there for Slurm"
            yield message, f"end what it left: spark-mode -H {node.name} release --job {one.id}"
        for job in here:
            if job.comment.startswith(OURS) and job.state == "RUNNING" and job.id not in [one.id for one in held]:
                yield (
                    f"{node.name}: job {job.id} runs there for Slurm, and holds nothing",
                    "it waits for its turn, or has just ended",
                )
        mode = str(status.get("mode"))
        if mode != "idle" and not held and node.is_given_work:
            yield (
                f"{node.name}: {mode} runs there, which no job has: Slurm thinks it free",
                "a job that comes is judged there, by its rules",
            )
        if status.get("interrupted"):
            yield f"{node.name}: {status['interrupted']}", f"recover it: spark-mode fleet resume {node.name}"
