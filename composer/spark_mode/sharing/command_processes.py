"""What runs of a plain command outside its process group: workers in a session of their own, whatever has made itself a daemon.

Each has inherited the command's mark with its environment, or descends from one that has, or was adopted by the `run` that waits
for it. Whose environment this user may not read is found by descent alone.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from spark_mode.engine.adopting import ADOPTS
from spark_mode.sharing.process import PROCESSES, is_running, stat_of

VARIABLE = "SPARK_MODE_RUN"
"""What `engine/waiting.py` gives a command: the process that leads its group, and when that one began, in ticks since boot."""


def mark(leader: int, began: int) -> str:
    """Return the value that a command finds in its environment, and all that it starts."""
    return f"{leader}.{began}"


class Leader(NamedTuple):
    """The process that leads a command's group, and the `run` that waits for it: their numbers, and when they began, in ticks."""

    pid: int
    began: int
    runner: int = 0
    runner_began: int = 0


def processes_of(leader: Leader, processes: Path = PROCESSES) -> frozenset[int]:
    """Return what runs of a command, its group included. Two looks: one that is just becoming a program shows no environment."""
    return _seen_of(leader, processes) or _seen_of(leader, processes)


def is_kept_from_us(runner: int, began: int) -> bool:
    """Whether a `run` still waits for its command, and is of a user whose environments we may not read."""
    if not runner or os.geteuid() == 0 or not is_running(runner, began):
        return False
    try:
        return (PROCESSES / str(runner)).stat().st_uid != os.geteuid()
    except OSError:
        return True


def _seen_of(leader: Leader, processes: Path) -> frozenset[int]:
    wanted = f"{VARIABLE}={mark(leader.pid, leader.began)}".encode()
    there = dict(_there(processes))
    number_is_its = leader.pid not in there or there[leader.pid][1] == leader.began  # else the number was given anew
    adopts = leader.runner in there and there[leader.runner][1] == leader.runner_began and _adopts(leader.runner, processes)
    mine = {
        pid
        for pid, (parent, started, group) in there.items()
        if (group == leader.pid and number_is_its)
        or (started >= leader.began and ((adopts and parent == leader.runner) or wanted in _environment(pid, processes)))
    }
    while more := {pid for pid, (parent, _, _) in there.items() if parent in mine} - mine:
        mine |= more
    return frozenset(mine)


def _there(processes: Path) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Yield each process with its parent, when it began, and its group; none that has ended."""
    for one in processes.iterdir():
        if one.name.isdigit() and (fields := stat_of(int(one.name), processes)) and fields[0] not in ("Z", "X"):
            yield int(one.name), (int(fields[1]), int(fields[19]), int(fields[2]))


def _adopts(runner: int, processes: Path) -> bool:
    """Whether a `run` has no children now but those of its command."""
    try:
        return (processes / str(runner) / "comm").read_text().rstrip("\n") == ADOPTS
    except OSError:
        return False


def _environment(pid: int, processes: Path) -> list[bytes]:
    try:
        return (processes / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
