"""What the kernel says of a process and of locks, read by hand (proc(5)).

Not by psutil: the gate asks at every start, and its import takes 10 to 20 ms; when a process began it tells by the wall clock,
which jumps, and not in the ticks since boot that are the same for all who ask; and of locks it knows nothing.
"""

import os
from contextlib import suppress
from pathlib import Path

PROCESSES = Path("/proc")


def process_began(pid: int, processes: Path = PROCESSES) -> int | None:
    """Return when a process began, in ticks since boot; None when it is gone, a zombie, or hidden."""
    fields = stat_of(pid, processes)
    return int(fields[19]) if fields and fields[0] not in ("Z", "X") else None


def is_running(pid: int, began: int, processes: Path = PROCESSES) -> bool:
    """Whether the process with this number that began then still runs; one that cannot be seen counts as the one."""
    seen = process_began(pid, processes)
    return seen == began or (seen is None and _is_hidden(pid, processes))


def group_runs(leader: int, began: int, processes: Path = PROCESSES) -> bool:
    """Whether a process of the group runs that was led by the process with this number that began then.

    While one of them is there the kernel gives nobody else the number: another process with it says that the group is gone.
    """
    if is_running(leader, began, processes):
        return True
    if process_began(leader, processes) is not None or not _is_group(leader):
        return False
    seen = [fields for one in processes.iterdir() if one.name.isdigit() and (fields := stat_of(int(one.name), processes))]
    mine = [fields for fields in seen if int(fields[2]) == leader]
    if mine:
        return any(fields[0] not in ("Z", "X") for fields in mine)
    return _is_group(leader)  # where none can be seen they are another user's, or the last one was buried meanwhile


def _is_group(leader: int) -> bool:
    """Whether the kernel knows a process of a group, a zombie too."""
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_stopped(pid: int) -> bool:
    """Whether a process was told to stop, as by Ctrl-Z."""
    fields = stat_of(pid, PROCESSES)
    return fields is not None and fields[0] in ("T", "t")


def holders(path: Path) -> tuple[int, ...]:
    """Return the processes that took a lock on a file, as far as the kernel shows them and they are there."""
    try:
        file, listed = path.stat(), (PROCESSES / "locks").read_text()
    except OSError:
        return ()
    at = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    found = (fields[4] for line in listed.splitlines() if (fields := line.split())[1] == "FLOCK" and fields[5] == at)
    return tuple(int(pid) for pid in dict.fromkeys(found) if (PROCESSES / pid).exists())


def stat_of(pid: int, processes: Path) -> list[str] | None:
    """Return the fields after a process's name, from its state on; None where they cannot be read."""
    with suppress(OSError):
        fields = (processes / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return fields if len(fields) > 19 else None
    return None


def _is_hidden(pid: int, processes: Path) -> bool:
    """Whether there is a process whose times are kept from us: `hidepid` shows nobody the processes of others."""
    if os.access(processes / str(pid) / "stat", os.R_OK):
        return False
    with suppress(PermissionError):  # which says that there is one
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True
