"""The machine's memory and the monotonic clock."""

import os
import time
from pathlib import Path

import psutil

from composer.engine import processes
from composer.engine.doors import Process
from composer.planning.observed import Memory

DROP_CACHES = Path("/proc/sys/vm/drop_caches")


class HostMemory:
    """Memory as the kernel reports it: MemTotal and MemAvailable. cgroup figures do not see what CUDA takes on a GB10."""

    def memory(self) -> Memory:
        try:
            seen, swap = psutil.virtual_memory(), psutil.swap_memory()
        except (OSError, KeyError, ValueError):
            return Memory(total=None, available=None)
        return Memory(total=seen.total, available=seen.available, free=seen.free, swap_total=swap.total, swap_free=swap.free)

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
