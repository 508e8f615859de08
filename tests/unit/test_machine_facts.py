"""What a DGX Spark, a partner's machine and any other say of themselves, as recorded; what is missing is unknown."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from spark_mode.engine.doors import GpuReading
from spark_mode.engine.machine_facts import MachineFacts, read_machine_facts
from spark_mode.planning.observed import Memory
from spark_mode.reporting.finding import Finding
from spark_mode.reporting.machine_check import look

GB = 10**9
RELEASE = """DGX_NAME="DGX Spark"
DGX_PRETTY_NAME="NVIDIA DGX Spark"
DGX_SWBUILD_VERSION="7.2.3"
DGX_SERIAL_NUMBER="1983925001234"

DGX_OTA_VERSION="7.3.1"
DGX_OTA_DATE="Wed Nov 19 05:05:30 PM CET 2025"

DGX_OTA_VERSION=7.6.0
"""
NVRM = """NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  580.126.09  Release Build  (dvs-builder@U22)  Wed Jan  7 2026
GCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)
"""
SPARK = {
    "sys/class/dmi/id/product_name": "NVIDIA_DGX_Spark\n",
    "sys/bus/pci/devices/000f:01:00.0/vendor": "0x10de\n",
    "sys/bus/pci/devices/000f:01:00.0/device": "0x2e12\n",
    "sys/bus/pci/devices/0000:00:00.0/vendor": "0x10de\n",
    "etc/dgx-release": RELEASE,
    "proc/driver/nvidia/version": NVRM,
    "proc/77/comm": "earlyoom\n",
    "proc/77/cmdline": "/usr/bin/earlyoom\0-m\x004,2\0-s\x00100\0",
    "proc/78/comm": "bash\n",
    "proc/self/comm": "earlyoom\n",
}
MEMORY = Memory(total=130_662_000_000, available=100 * GB, swap_total=16 * GB, swap_free=16 * GB)
GPU = GpuReading(cuda="13.0")


def machine(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def toolkit(folder: Path, script: str) -> str:
    folder.mkdir()
    (folder / "nvidia-ctk").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "nvidia-ctk").chmod(0o755)
    return str(folder)


def found(host: MachineFacts, gpu: GpuReading = GPU, memory: Memory = MEMORY) -> dict[str, Finding]:
    return {one.where: one for one in look(host, gpu, memory, 128 * GB)}


def test_a_dgx_spark_is_read_from_its_own_files(tmp_path: Path) -> None:
    says = 'printf "NVIDIA Container Toolkit CLI version 1.20.1\\ncommit: 46a3f9\\n"'
    host = read_machine_facts(machine(tmp_path / "root", SPARK), toolkit(tmp_path / "bin", says))
    assert host == MachineFacts(
        product="NVIDIA_DGX_Spark",
        is_gb10=True,
        dgx_os="7.6.0",
        driver="580.126.09",
        toolkit="1.20.1",
        killers=("/usr/bin/earlyoom -m 4,2 -s 100",),
    )
    assert {one.level for one in found(host).values()} == {"ok"}


def test_a_partners_machine_is_one_by_its_gpu_and_its_first_system_has_no_update(tmp_path: Path) -> None:
    files = SPARK | {"sys/class/dmi/id/product_name": "GX10\n", "etc/dgx-release": 'DGX_SWBUILD_VERSION="7.2.3"\n'}
    host = read_machine_facts(machine(tmp_path, files), str(tmp_path))
    assert (host.product, host.is_gb10, host.dgx_os) == ("GX10", True, "7.2.3")
    assert found(host)["DGX OS"].level == "warning"


def test_no_serial_number_is_ever_told(tmp_path: Path) -> None:
    host = read_machine_facts(machine(tmp_path, SPARK), str(tmp_path))
    assert "1983925001234" not in str(host) + str(found(host))


def test_a_machine_that_says_nothing_is_unknown(tmp_path: Path) -> None:
    assert read_machine_facts(tmp_path, str(tmp_path)) == MachineFacts()


@pytest.mark.parametrize("script", ["exit 1", "echo nothing", "printf '\\377'", "exec yes version", "sleep 60 & exit 1"])
def test_a_toolkit_that_fails_is_unknown(tmp_path: Path, script: str) -> None:
    assert read_machine_facts(tmp_path, toolkit(tmp_path / "bin", script), seconds=0.5).toolkit is None


def test_the_name_of_the_module_tells_the_driver_where_its_own_file_does_not(tmp_path: Path) -> None:
    assert read_machine_facts(machine(tmp_path, {"sys/module/nvidia/version": "580.142\n"}), str(tmp_path)).driver == "580.142"


GOOD = MachineFacts(is_gb10=True, dgx_os="7.6.0", driver="580.178.04", toolkit="1.20.1", killers=("earlyoom -s 100",))


@pytest.mark.parametrize(
    ("host", "gpu", "memory", "where", "level", "fix"),
    [
        (GOOD.model_copy(update={"driver": "575.57"}), GPU, MEMORY, "driver", "error", "DGX Dashboard"),
        (GOOD.model_copy(update={"driver": None}), GPU, MEMORY, "driver", "error", "DGX Dashboard"),
        (GOOD, GpuReading(cuda="12.9"), MEMORY, "CUDA", "error", "DGX Dashboard"),
        (GOOD, GpuReading(), MEMORY, "CUDA", "warning", "spark-mode[gpu]"),
        (GOOD.model_copy(update={"toolkit": "1.17.6"}), GPU, MEMORY, "container toolkit", "warning", "nvidia-ctk"),
        (GOOD.model_copy(update={"toolkit": None}), GPU, MEMORY, "container toolkit", "warning", "nvidia-ctk"),
        (GOOD.model_copy(update={"dgx_os": "7.4.0"}), GPU, MEMORY, "DGX OS", "warning", "DGX Dashboard"),
        (GOOD.model_copy(update={"killers": ()}), GPU, MEMORY, "out of memory", "warning", "-s 100"),
        (GOOD.model_copy(update={"killers": ("earlyoom -m 5",)}), GPU, MEMORY, "out of memory", "warning", "-s 100"),
        (GOOD, GPU._replace(slowed=frozenset({"heat"})), MEMORY, "GPU clock", "warning", "give it air"),
        (GOOD, GPU._replace(slowed=frozenset({"power", "supply"})), MEMORY, "GPU clock", "warning", "adapter"),
        (GOOD, GPU._replace(slowed=frozenset({"limit"})), MEMORY, "GPU clock", "warning", "nvidia-smi -rgc"),
        (GOOD, GPU._replace(slowed=frozenset({"hardware"})), MEMORY, "GPU clock", "warning", "nvidia-smi -q"),
        (GOOD, GPU, MEMORY.model_copy(update={"swap_free": 2 * GB}), "swap", "warning", "swapoff"),
        (GOOD, GPU, MEMORY.model_copy(update={"total": 120 * GB}), "memory", "warning", "capacity: auto"),
        (GOOD, GPU, MEMORY.model_copy(update={"total": None}), "memory", "warning", "capacity"),
    ],
)
def test_what_is_not_as_it_should_be_on_a_spark_is_told_with_its_fix(
    host: MachineFacts, gpu: GpuReading, memory: Memory, where: str, level: str, fix: str
) -> None:
    seen = found(host, gpu, memory)
    assert seen[where].level == level
    assert fix in (seen[where].fix or "")
    assert {one.level for name, one in seen.items() if name != where} == {"ok"}


def test_without_swap_earlyoom_needs_no_setting_for_it() -> None:
    memory = MEMORY.model_copy(update={"swap_total": 0, "swap_free": 0})
    assert found(GOOD.model_copy(update={"killers": ("earlyoom -m 5",)}), memory=memory)["out of memory"].level == "ok"


def test_a_machine_that_is_no_spark_is_told_so_in_one_line_and_nothing_of_a_spark_is_asked_of_it() -> None:
    (seen,) = found(MachineFacts(product="A computer")).values()
    assert (seen.where, seen.level, seen.fix) == ("machine", "ok", None)
    assert seen.message == "not a DGX Spark (GB10): A computer; MemTotal is 130.7 GB; budgets reckon with 128.0 GB"


def test_a_machine_that_is_no_spark_and_has_less_than_budgets_reckon_with_is_warned_of_in_that_line() -> None:
    (seen,) = found(MachineFacts(), memory=MEMORY.model_copy(update={"total": 25 * GB})).values()
    assert (seen.where, seen.level) == ("machine", "warning")
    assert "capacity: auto" in (seen.fix or "")


def test_a_clock_that_is_held_down_is_explained_and_power_alone_is_no_fault() -> None:
    seen = found(GOOD, GPU._replace(slowed=frozenset({"power"}), megahertz=2100))["GPU clock"]
    assert (seen.level, seen.fix) == ("ok", None)
    assert seen.message.startswith("the clock of 2100 MHz is held down: it uses all the power that it may")
    free = found(GOOD, GPU._replace(slowed=frozenset(), megahertz=2405))["GPU clock"]
    assert (free.level, free.message) == ("ok", "nothing holds the clock of 2405 MHz down")
    both = found(GOOD, GPU._replace(slowed=frozenset({"heat", "limit"})))["GPU clock"]
    assert both.message == "the clock is held down: it is too hot; somebody has set a limit"


def test_where_nvml_says_nothing_of_the_clock_nothing_is_said() -> None:
    assert "GPU clock" not in found(GOOD)
