"""What NVML answers on machines of all kinds, as recorded: what it does not tell is unknown, never zero."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pynvml
import pytest

from spark_mode.engine.doors import GpuProcess, GpuReading
from spark_mode.engine.gpu import NvidiaGpu, container_of_pid

TOTAL = 130_662_000_000
"""MemTotal of a GB10, which some drivers give as the device's memory."""
ID = "c086e9204b54157ce2b28a1ecc4287fd162c644eb1d63a1a7d3e2d44d0be1a5b"


class Memory(NamedTuple):
    total: int
    free: int
    used: int


class Rates(NamedTuple):
    gpu: int
    memory: int


class Running(NamedTuple):
    pid: int
    usedGpuMemory: int | None  # noqa: N815 - NVML's name


def not_supported(*_: object) -> Any:
    raise pynvml.NVMLError_NotSupported


def no_driver(*_: object) -> Any:
    raise pynvml.NVMLError_LibraryNotFound


class Recorded:
    """NVML with the answers of one machine; an answer that is an error is raised."""

    NVMLError = pynvml.NVMLError

    def __init__(self, devices: int = 1, **answers: Callable[..., Any]) -> None:
        self.nvmlInit = answers.get("init", lambda: None)
        self.nvmlDeviceGetCount = lambda: devices
        self.nvmlDeviceGetHandleByIndex = lambda index: index
        self.nvmlDeviceGetName = answers.get("name", lambda _: "NVIDIA GB10")
        self.nvmlSystemGetDriverVersion = answers.get("driver", lambda: b"580.159.03")
        self.nvmlSystemGetCudaDriverVersion_v2 = answers.get("cuda", lambda: 13000)
        self.nvmlDeviceGetMemoryInfo = answers.get("memory", not_supported)
        self.nvmlDeviceGetUtilizationRates = answers.get("rates", lambda _: Rates(96, 0))
        self.nvmlDeviceGetTemperature = answers.get("heat", not_supported)
        self.nvmlDeviceGetPowerUsage = answers.get("power", not_supported)
        self.nvmlDeviceGetClockInfo = answers.get("clock", not_supported)
        self.nvmlDeviceGetCurrentClocksEventReasons = answers.get("reasons", not_supported)
        self.nvmlDeviceGetComputeRunningProcesses_v3 = answers.get("running", lambda _: [Running(7, 741326848)])


def test_on_a_gb10_memory_is_unknown_and_processes_and_utilisation_are_told() -> None:
    assert NvidiaGpu(Recorded()).read() == GpuReading(
        name="NVIDIA GB10", driver="580.159.03", cuda="13.0", utilisation=96, processes=(GpuProcess(pid=7, used=741326848),)
    )


def test_a_driver_that_gives_the_hosts_total_is_believed() -> None:
    seen = NvidiaGpu(Recorded(memory=lambda _: Memory(TOTAL, TOTAL - 5, 5))).read()
    assert (seen.total, seen.used) == (TOTAL, 5)


def test_what_a_gb10_tells_of_this_moment_is_read_in_its_units() -> None:
    nvml = Recorded(heat=lambda *_: 71, power=lambda _: 62_340, clock=lambda *_: 2405, reasons=lambda _: 1)
    seen = NvidiaGpu(nvml).read()
    assert (seen.celsius, seen.watts, seen.megahertz, seen.slowed) == (71, 62.3, 2405, frozenset())


def test_of_several_gpus_the_hottest_and_the_fastest_count_and_all_of_their_power() -> None:
    seen = NvidiaGpu(
        Recorded(
            devices=2,
            heat=lambda one, _: 60 + one,
            power=lambda one: 10_000 + one,
            clock=lambda one, _: 2000 - one,
            reasons=lambda one: 0x4 << one,
        )
    ).read()
    assert (seen.celsius, seen.watts, seen.megahertz, seen.slowed) == (61, 20.0, 2000, frozenset({"power", "hardware"}))


@pytest.mark.parametrize(
    ("bits", "why"),
    [
        (0x0, ""),
        (0x1, ""),
        (0x2, "limit"),
        (0x4, "power"),
        (0x8, "hardware"),
        (0x8 | 0x40, "heat"),
        (0x20, "heat"),
        (0x8 | 0x80, "supply"),
    ],
)
def test_why_a_clock_is_held_down_is_read_from_the_reasons_and_being_idle_is_none(bits: int, why: str) -> None:
    assert " ".join(NvidiaGpu(Recorded(reasons=lambda _: bits)).read().slowed or ()) == why


def test_zeros_are_unknown() -> None:
    seen = NvidiaGpu(Recorded(memory=lambda _: Memory(0, 0, 0))).read()
    assert (seen.total, seen.used) == (None, None)


def test_a_machine_that_lists_only_processes_tells_those() -> None:
    door = NvidiaGpu(Recorded(name=not_supported, driver=not_supported, cuda=not_supported, rates=not_supported))
    assert door.read() == GpuReading(processes=(GpuProcess(pid=7, used=741326848),))
    assert door.utilisation() is None


@pytest.mark.parametrize("used", [None, 0xFFFF_FFFF_FFFF_FFFF])
def test_the_memory_of_a_process_may_be_unknown(used: int | None) -> None:
    assert NvidiaGpu(Recorded(running=lambda _: [Running(7, used)])).processes() == (GpuProcess(pid=7, used=None),)


def test_a_list_that_is_not_supported_is_unknown_and_an_empty_one_is_empty() -> None:
    assert NvidiaGpu(Recorded(running=not_supported)).processes() is None
    assert NvidiaGpu(Recorded(running=lambda _: [])).processes() == ()


def test_of_several_gpus_the_busiest_counts_and_their_memory_is_unknown() -> None:
    door = NvidiaGpu(
        Recorded(
            devices=2,
            memory=lambda _: Memory(9, 8, 1),
            rates=lambda index: Rates(10 + index, 0),
            running=lambda index: [Running(index, 1)],
        )
    )
    seen = door.read()
    assert (seen.utilisation, seen.total) == (11, None)
    assert [one.pid for one in seen.processes or ()] == [0, 1]


def test_without_a_driver_everything_is_unknown() -> None:
    door = NvidiaGpu(Recorded(init=no_driver))
    assert door.read() == GpuReading()
    assert door.processes() is None
    assert door.utilisation() is None


def test_without_the_package_everything_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert NvidiaGpu().read() == GpuReading()


def test_of_two_gpus_of_which_one_is_lost_the_memory_is_unknown() -> None:
    def handle(index: int) -> int:
        if index == 1:
            raise pynvml.NVMLError_GpuIsLost
        return index

    nvml = Recorded(devices=2, memory=lambda _: Memory(9, 8, 1))
    nvml.nvmlDeviceGetHandleByIndex = handle
    seen = NvidiaGpu(nvml).read()
    assert (seen.utilisation, seen.total, seen.used) == (96, None, None)


def test_a_driver_older_than_the_package_leaves_the_processes_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(_: str) -> None:
        raise pynvml.NVMLError_FunctionNotFound

    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer", lacking)
    nvml = Recorded()
    for name in ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetComputeRunningProcesses_v3"):
        setattr(nvml, name, getattr(pynvml, name))
    assert NvidiaGpu(nvml).processes() is None


def test_a_driver_that_goes_away_leaves_everything_unknown() -> None:
    nvml = Recorded()
    door = NvidiaGpu(nvml)
    assert door.utilisation() == 96
    for name in ("nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex", "nvmlDeviceGetUtilizationRates"):
        setattr(nvml, name, no_driver)
    assert door.utilisation() is None
    assert door.processes() is None


def test_the_real_package_never_fails_whatever_this_machine_has() -> None:
    assert isinstance(NvidiaGpu().read(), GpuReading)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"4:memory:/docker/{ID}\n0::/docker/{ID}\n", ID),
        (f"0::/system.slice/docker-{ID}.scope\n", ID),
        (f"0::/user.slice/docker/{ID}/init.scope\n", ID),
        (f"0::/docker/{ID}/docker/{'b' * 64}\n", ID),
        (f"0::/system.slice/{'a' * 70}\n", None),
        ("0::/user.slice/user-1000.slice/session-1.scope\n", None),
    ],
)
def test_a_process_belongs_to_the_container_of_its_group(tmp_path: Path, text: str, found: str | None) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text(text)
    assert container_of_pid(7, tmp_path) == found


def test_a_group_whose_name_is_not_text_is_of_no_container(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_bytes(b"0::/odd-\xff.scope\n")
    assert container_of_pid(7, tmp_path) is None


def test_a_process_whose_group_cannot_be_read_belongs_to_none(tmp_path: Path) -> None:
    (tmp_path / "7" / "cgroup").mkdir(parents=True)
    assert container_of_pid(7, tmp_path) is None


def test_a_process_that_is_gone_belongs_to_none(tmp_path: Path) -> None:
    assert container_of_pid(7, tmp_path) is None
