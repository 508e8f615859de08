"""Which processes hold memory of this machine, and in which container they run: as the kernel says it (proc(5))."""

import os
import pwd
from pathlib import Path

from spark_mode.engine.doors import Process
from spark_mode.engine.gpu import container_of_pid
from spark_mode.readable import readable

PAGE = os.sysconf("SC_PAGE_SIZE")
LONGEST_NAME = 15
"""So many bytes of a process's name the kernel keeps."""
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
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
        user = _user(int(status.partition("\nUid:")[2].split(maxsplit=1)[0]))
        return Process(pid=pid, name=readable(_name(pid)), user=user, container=container_of_pid(pid), size=0)
    except OSError:
        return None


def _name(pid: int) -> str:
    """Return a process's name: of a long one the kernel has the beginning, and the rest may stand in what it was called by."""
    short = Path(f"/proc/{pid}/comm").read_text(errors="replace").removesuffix("\n")
    called = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").partition("\0")[0].rpartition("/")[2]
    return called if len(short) == LONGEST_NAME and called.startswith(short) else short


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _own(pid: int) -> int:
    """Return what a process holds of its own."""
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
