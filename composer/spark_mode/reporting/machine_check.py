"""What this machine is, as far as it matters here, and what to do where it is not as it should be."""

import re
from collections.abc import Iterator

from spark_mode.engine.doors import GpuReading, Slowed
from spark_mode.engine.machine_facts import MachineFacts
from spark_mode.engine.versions import numbers
from spark_mode.lab.size import gb_text
from spark_mode.planning.observed import Memory
from spark_mode.reporting.finding import Finding, Level

UPDATE = "update DGX OS in the DGX Dashboard, and reboot"
TOOLKIT = (
    "sudo apt install nvidia-container-toolkit; sudo nvidia-ctk runtime configure --runtime=docker; sudo systemctl restart docker"
)
CUDA = "pip install 'spark-mode[gpu]'"
EARLYOOM = (
    "sudo apt install earlyoom, and in /etc/default/earlyoom: EARLYOOM_ARGS=\"-m 4,2 -s 100 --avoid '^(sshd|systemd|dockerd)$'\""
)
SWAP = "sudo swapoff --all"
GB = 10**9


def look(host: MachineFacts, gpu: GpuReading, memory: Memory, capacity: int) -> Iterator[Finding]:
    """Yield what was found. Of a machine that is no DGX Spark one thing is told: what it is, and whether the memory is there.

    NVIDIA's porting guide of the DGX Spark (2026-04) asks for CUDA 13.0 and the toolkit 1.17.7, its first driver for CUDA 13
    is 580, and the release notes of DGX OS 7.5 (2026-07) say that it handles running out of memory better.
    """
    spark = "a DGX Spark (GB10)" if host.is_gb10 else "not a DGX Spark (GB10)"
    this, total = f"{spark}: {host.product}" if host.product else spark, _total(memory, capacity)
    if not host.is_gb10:
        yield total.model_copy(update={"where": "machine", "message": f"{this}; {total.message}"})
        return
    yield Finding(level="ok", where="machine", message=this)
    yield total
    yield _least("DGX OS", host.dgx_os, "7.5", "warning", UPDATE)
    yield _least("driver", host.driver, "580", "error", UPDATE)
    yield _least("CUDA", gpu.cuda, "13.0", "error" if gpu.cuda else "warning", UPDATE if gpu.cuda else CUDA)
    yield from _clock(gpu)
    yield _least("container toolkit", host.toolkit, "1.17.7", "warning", TOOLKIT)
    yield _swap(memory)
    yield _killer(host, memory)


def _total(memory: Memory, capacity: int) -> Finding:
    total = "unknown" if memory.total is None else gb_text(memory.total)
    message = f"MemTotal is {total}; budgets reckon with {gb_text(capacity)}"
    if memory.total is not None and memory.total >= capacity:
        return Finding(level="ok", where="memory", message=message)
    return Finding(level="warning", where="memory", message=message, fix="rules.yaml: hardware: {capacity: auto}")


def _least(where: str, version: str | None, least: str, level: Level, fix: str) -> Finding:
    """Hold a version against the least that a DGX Spark should have."""
    if version and numbers(version) >= numbers(least):
        return Finding(level="ok", where=where, message=f"version {version}")
    seen = f"version {version}" if version else "not found"
    return Finding(level=level, where=where, message=f"{seen}; a DGX Spark should have {least} or later", fix=fix)


SLOWED: dict[Slowed, tuple[str, Level, str | None]] = {
    "heat": ("it is too hot", "warning", "give it air: nothing on it or behind it, and a room below 30 °C"),
    "supply": (
        "its power supply does not give it enough",
        "warning",
        "use the adapter that came with it (240 W) in a wall socket; if it stays slow, shut down and unplug it for a minute",
    ),
    "hardware": ("its hardware holds it back", "warning", "see why: nvidia-smi -q -d PERFORMANCE"),
    "limit": ("somebody has set a limit", "warning", "lift it: sudo nvidia-smi -rgc; sudo nvidia-smi -rac"),
    "power": ("it uses all the power that it may, which is as it should be under load", "ok", None),
}
"""Why the clock of a GPU is held down, how bad that is and what to do, the worst first."""


def _clock(gpu: GpuReading) -> Iterator[Finding]:
    """Tell what holds the clock of the GPU down, where NVML says that: a run is then slow for no fault of its own."""
    if gpu.slowed is None:
        return
    clock = "the clock" if gpu.megahertz is None else f"the clock of {gpu.megahertz} MHz"
    reasons = [SLOWED[one] for one in SLOWED if one in gpu.slowed]
    _, level, fix = reasons[0] if reasons else ("", "ok", None)
    message = f"{clock} is held down: {'; '.join(said for said, *_ in reasons)}" if reasons else f"nothing holds {clock} down"
    yield Finding(level=level, where="GPU clock", message=message, fix=fix)


def _swap(memory: Memory) -> Finding:
    """Look at the swap: what the GPU holds is never swapped out, so it delays the end without preventing it."""
    if not memory.swap_total:
        return Finding(level="ok", where="swap", message="unknown" if memory.swap_total is None else "none")
    used = memory.swap_total - (memory.swap_free or 0)
    message = (
        f"{gb_text(memory.swap_total)}, {gb_text(used)} of it used; it is never counted, and what the GPU holds never goes there"
    )
    if used < GB:
        return Finding(level="ok", where="swap", message=message)
    return Finding(level="warning", where="swap", message=message, fix=f"stop something, then: {SWAP}")


def _killer(host: MachineFacts, memory: Memory) -> Finding:
    """Look at what ends processes before memory runs out: the kernel itself is too late on a machine of this kind."""
    where = "out of memory"
    if not host.killers:
        message = "no daemon ends processes before memory runs out, and a Spark then freezes as a whole"
        return Finding(level="warning", where=where, message=message, fix=EARLYOOM)
    message = f"{', '.join(host.killers)} runs"
    if any("earlyoom" in one and not re.search(r"-s\s*100\b", one) for one in host.killers) and memory.swap_total:
        message += "; earlyoom does nothing before swap is short, too"
        return Finding(level="warning", where=where, message=message, fix=f"add -s 100 to EARLYOOM_ARGS, or: {SWAP}")
    return Finding(level="ok", where=where, message=f"{message}; it sees the memory of processes, not what CUDA takes for them")
