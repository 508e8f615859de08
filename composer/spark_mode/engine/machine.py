"""The machine's memory and the monotonic clock."""

import os
import time
from pathlib import Path

from spark_mode.engine import processes
from spark_mode.engine.doors import Process
from spark_mode.planning.observed import Memory

MEMINFO = Path("/proc/meminfo")
KIB = 1024
DROP_CACHES = Path("/proc/sys/vm/drop_caches")


class MachineMemory:
    """Memory as the kernel reports it: MemTotal and MemAvailable. cgroup figures do not see what CUDA takes on a GB10."""

    def memory(self) -> Memory:
        try:
            lines = MEMINFO.read_text().splitlines()
            seen = {name: int(rest.split()[0]) * KIB for name, _, rest in (line.partition(":") for line in lines)}
        except (OSError, ValueError, IndexError):
            return Memory(total=None, available=None)
        programs = seen["AnonPages"] + seen["Shmem"] if {"AnonPages", "Shmem"} <= seen.keys() else None
        return Memory(
            total=seen.get("MemTotal"),
            available=seen.get("MemAvailable"),
            free=seen.get("MemFree"),
            swap_total=seen.get("SwapTotal"),
            swap_free=seen.get("SwapFree"),
            programs=programs,
        )

    def processes(self, least: int) -> tuple[Process, ...]:
        return processes.large_processes(least)

    def process(self, pid: int) -> Process | None:
        return processes.process(pid)

    def shared_memory(self) -> int:
        return processes.shared_memory()

    def may_drop_caches(self) -> bool:
        return os.access(DROP_CACHES, os.W_OK)

    def drop_caches(self) -> None:
        os.sync()
        DROP_CACHES.write_text("3\n")


class SystemClock:
    """Time that no correction of the wall clock moves."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
