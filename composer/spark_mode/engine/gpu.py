"""What the GPU says of itself through NVML, an optional package: on a GB10 any of it may be missing, and is then unknown.

Seen on GB10 (driver 580): the memory of the device is not supported, or all zeros, or the host's own total; the list of
processes and the utilisation work. The processes are visible on the host only, not from inside a container.
"""

import ctypes
import importlib
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from spark_mode.engine.doors import GpuProcess, GpuReading, Slowed

_UNKNOWN_BYTES = 0xFFFF_FFFF_FFFF_FFFF
"""NVML's way of saying that a process's memory is not available."""
_SENSOR, _CORES = 0, 1
"""NVML's names for the sensor of the GPU itself, and for the clock of its multiprocessors."""
_SLOWED: dict[int, Slowed] = {0x2: "limit", 0x4: "power", 0x8: "hardware", 0x20: "heat", 0x40: "heat", 0x80: "supply"}
"""What the bits of NVML's clocks event reasons say; that it is idle, or paces others, is no reason to be told of."""
_CONTAINER = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")

Answer = TypeVar("Answer")


class NvidiaGpu:
    """The GPUs of this machine. Without the package `nvidia-ml-py`, a driver or a GPU everything is unknown."""

    def __init__(self, nvml: Any = None) -> None:
        self._nvml, self._tried = nvml, False

    def read(self) -> GpuReading:
        """Return what can be read now; every field on its own may be unknown (None)."""
        devices = self._devices()
        if not devices:
            return GpuReading()
        nvml = self._nvml
        only = devices[0] if self._ask(nvml.nvmlDeviceGetCount) == 1 else None
        memory = self._ask(partial(nvml.nvmlDeviceGetMemoryInfo, only)) if only is not None else None
        total = int(memory.total) if memory and memory.total else None
        return GpuReading(
            name=_text(self._ask(partial(nvml.nvmlDeviceGetName, devices[0]))),
            driver=_text(self._ask(nvml.nvmlSystemGetDriverVersion)),
            cuda=_cuda(self._ask(nvml.nvmlSystemGetCudaDriverVersion_v2)),
            utilisation=self._highest(devices),
            total=total,
            used=int(memory.used) if memory and total else None,
            processes=self._processes(devices),
            celsius=max(self._each(devices, lambda one: nvml.nvmlDeviceGetTemperature(one, _SENSOR)), default=None),
            watts=_watts(self._each(devices, nvml.nvmlDeviceGetPowerUsage)),
            megahertz=max(self._each(devices, lambda one: nvml.nvmlDeviceGetClockInfo(one, _CORES)), default=None),
            slowed=_slowed(self._each(devices, nvml.nvmlDeviceGetCurrentClocksEventReasons)),
        )

    def utilisation(self) -> int | None:
        """Return how busy the GPU is, in percent; the busiest of several."""
        return self._highest(self._devices())

    def processes(self) -> tuple[GpuProcess, ...] | None:
        """Return the processes that compute, with the bytes that each holds; None where they are not listed."""
        return self._processes(self._devices())

    def _highest(self, devices: list[Any]) -> int | None:
        rates = [self._ask(partial(self._nvml.nvmlDeviceGetUtilizationRates, device)) for device in devices]
        return max((int(rate.gpu) for rate in rates if rate is not None), default=None)

    def _each(self, devices: list[Any], question: Callable[[Any], int]) -> list[int]:
        """Return the answers of those that answer: of several GPUs the hottest and the fastest count, and all of their power."""
        answers = [self._ask(partial(question, device)) for device in devices]
        return [int(one) for one in answers if one is not None]

    def _processes(self, devices: list[Any]) -> tuple[GpuProcess, ...] | None:
        # The name without a version turns a driver that lacks the function into an error that is not an NVMLError.
        lists = [self._ask(partial(self._nvml.nvmlDeviceGetComputeRunningProcesses_v3, device)) for device in devices]
        known = [one for one in lists if one is not None]
        if not known:
            return None
        return tuple(GpuProcess(pid=one.pid, used=_bytes(one.usedGpuMemory)) for found in known for one in found)

    def _devices(self) -> list[Any]:
        """Start NVML at the first question, and return the devices; none when there is no driver."""
        if not self._tried:
            self._tried = True
            try:
                self._nvml = self._nvml or _nvml()
                self._nvml.nvmlInit()
            except (ImportError, OSError):
                self._nvml = None
            except self._nvml.NVMLError:
                self._nvml = None
        if self._nvml is None:
            return []
        count = self._ask(self._nvml.nvmlDeviceGetCount) or 0
        found = [self._ask(partial(self._nvml.nvmlDeviceGetHandleByIndex, index)) for index in range(count)]
        return [device for device in found if device is not None]

    def _ask(self, question: Callable[[], Answer]) -> Answer | None:
        try:
            return question()
        except self._nvml.NVMLError:
            return None


def _nvml() -> Any:
    """Return NVML's module. Raises ImportError without it, and OSError at once without the driver's library that it calls."""
    ctypes.CDLL("libnvidia-ml.so.1")
    return importlib.import_module("pynvml")


def container_of_pid(pid: int, proc: Path = Path("/proc")) -> str | None:
    """Return the id of the container that a process runs in; None when it runs in none, or is gone or hidden.

    Of a container inside a container it is the outer one: that is the one which this machine's engine knows.
    """
    try:
        found = _CONTAINER.search((proc / str(pid) / "cgroup").read_text(errors="replace"))
    except OSError:
        return None
    return found[0] if found else None


def _cuda(number: int | None) -> str | None:
    """Return the newest CUDA that the driver runs: 13000 is 13.0."""
    return None if number is None else f"{number // 1000}.{number % 1000 // 10}"


def _bytes(used: int | None) -> int | None:
    return None if used is None or used == _UNKNOWN_BYTES else int(used)


def _watts(milliwatts: list[int]) -> float | None:
    return round(sum(milliwatts) / 1000, 1) if milliwatts else None


def _slowed(reasons: list[int]) -> frozenset[Slowed] | None:
    """Return why clocks are held down; what the hardware does is named by its cause where that is told as well."""
    if not reasons:
        return None
    found = frozenset(said for bit, said in _SLOWED.items() if any(one & bit for one in reasons))
    return found - {"hardware"} if found & {"heat", "supply"} else found


def _text(value: str | bytes | None) -> str | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
