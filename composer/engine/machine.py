"""The machine's memory and the monotonic clock."""

import time

import psutil

from composer.planning.observed import Memory


class HostMemory:
    """Memory as the kernel reports it: MemTotal and MemAvailable. cgroup figures do not see what CUDA takes on a GB10."""

    def memory(self) -> Memory:
        try:
            seen = psutil.virtual_memory()
        except (OSError, KeyError, ValueError):
            return Memory(total=None, available=None)
        return Memory(total=seen.total, available=seen.available)


class SystemClock:
    """Time that no correction of the wall clock moves."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
