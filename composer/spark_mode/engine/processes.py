"""Which processes hold memory of this machine, and in which container they run."""

import os
from pathlib import Path

from spark_mode.engine.doors import Process
from spark_mode.engine.gpu import container_of_pid
from spark_mode.readable import readable

PAGE = os.sysconf("SC_PAGE_SIZE")
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - not a temporary file: what lies there is memory


def large_processes(least: int) -> tuple[Process, ...]:
    """Return the processes that hold at least so many bytes of their own, with the container they run in.

    A process's own is its resident memory without what it shares with others through files and shared memory. What the
    GPU holds for it is not in there.
    """
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    sizes = ((pid, _own(pid)) for pid in pids)
    found = [(process(pid), size) for pid, size in sizes if size >= least]
    return tuple(one._replace(size=size) for one, size in found if one)


def process(pid: int) -> Process | None:
    """Return one process, with no size; None when it is gone."""
    import psutil  # 10 ms, and most commands name no process

    try:
        one = psutil.Process(pid)
        return Process(pid=pid, name=readable(one.name()), user=one.username(), container=container_of_pid(pid), size=0)
    except (psutil.Error, KeyError):
        return None


def _own(pid: int) -> int:
    """Return what a process holds of its own; psutil would ask ten times as much of each of hundreds of processes."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (OSError, ValueError):
        return 0  # it ended, or is none of our business
    return (int(resident) - int(shared)) * PAGE


def shared_memory() -> int:
    """Return the bytes of files in the machine's shared memory, which no process needs to hold."""
    try:
        seen = os.statvfs(SHARED_MEMORY)
    except OSError:
        return 0
    return (seen.f_blocks - seen.f_bfree) * seen.f_frsize
