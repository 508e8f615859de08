"""Which processes hold memory of this machine, and in which container they run."""

import os

import psutil

from composer.engine.docker import plain
from composer.engine.doors import Process
from composer.engine.gpu import container_of_pid

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - not a temporary file: what lies there is memory


def large_processes(least: int) -> tuple[Process, ...]:
    """Return the processes that hold at least so many bytes of their own, with the container they run in.

    A process's own is its resident memory without what it shares with others through files and shared memory. What the
    GPU holds for it is not in there.
    """
    found = []
    for one in psutil.process_iter():
        try:
            memory = one.memory_info()
            size = memory.rss - getattr(memory, "shared", 0)
            if size >= least:
                container = container_of_pid(one.pid)
                found.append(Process(pid=one.pid, name=plain(one.name()), user=one.username(), container=container, size=size))
        except (psutil.Error, KeyError):
            continue  # it ended, or is none of our business
    return tuple(found)


def process(pid: int) -> Process | None:
    """Return one process, with no size; None when it is gone."""
    try:
        one = psutil.Process(pid)
        return Process(pid=pid, name=plain(one.name()), user=one.username(), container=container_of_pid(pid), size=0)
    except (psutil.Error, KeyError):
        return None


def shared_memory() -> int:
    """Return the bytes of files in the machine's shared memory, which no process needs to hold."""
    try:
        seen = os.statvfs(SHARED_MEMORY)
    except OSError:
        return 0
    return (seen.f_blocks - seen.f_bfree) * seen.f_frsize
