"""What this machine is: the model, its system and driver, the container toolkit, and what ends processes when memory runs out.

Everything is read from files that every user may read, below a root that tests choose. What is not there is None.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from spark_mode.frozen import Frozen
from spark_mode.plain_file import read_plain

GB10 = ("0x10de", "0x2e12")
"""PCI vendor and device of the GPU in a DGX Spark, of NVIDIA's and of its partners."""
KILLERS = ("earlyoom", "nohang", "systemd-oomd")
"""Daemons that end processes before memory runs out, as the kernel names their processes."""
DEADLINE = 5.0
"""Seconds in which a program that is asked must answer."""
_LONGEST = 200


class MachineFacts(Frozen):
    """The machine. Versions are as their makers write them."""

    product: str | None = None
    is_gb10: bool = False
    dgx_os: str | None = None
    driver: str | None = None
    toolkit: str | None = None
    killers: tuple[str, ...] = ()
    """The command lines of those that run."""


def read_machine_facts(root: Path = Path("/"), search_path: str | None = None, seconds: float = DEADLINE) -> MachineFacts:
    """Read what the machine says of itself.

    Programs are looked for in `search_path`, PATH by default, and have so many seconds to answer.
    """
    return MachineFacts(
        product=_line(root / "sys/class/dmi/id/product_name"),
        is_gb10=any(_has_gb10(device) for device in _entries(root / "sys/bus/pci/devices")),
        dgx_os=_dgx_os(_text(root / "etc/dgx-release")),
        driver=_driver(root),
        toolkit=_toolkit(shutil.which("nvidia-ctk", path=search_path), seconds),
        killers=tuple(sorted(_killers(root / "proc"))),
    )


def _has_gb10(device: Path) -> bool:
    return (_line(device / "vendor"), _line(device / "device")) == GB10


def _dgx_os(release: str) -> str | None:
    """Return the version that the last update brought, or the installed one; the file has a line for each update."""
    found = dict(re.findall(r'^(DGX_OTA_VERSION|DGX_SWBUILD_VERSION)="?([0-9.]{1,20})"?$', release, re.MULTILINE))
    return found.get("DGX_OTA_VERSION") or found.get("DGX_SWBUILD_VERSION")


def _driver(root: Path) -> str | None:
    """Return the version of the driver that is loaded."""
    module = (_line(root / "sys/module/nvidia/version") or "")[:20]
    found = re.search(
        r"^NVRM version:.*?\s(\d{1,6}\.\d{1,6}(?:\.\d{1,6})?)\s", _text(root / "proc/driver/nvidia/version"), re.MULTILINE
    )
    return found[1] if found else module or None


def _toolkit(program: str | None, seconds: float) -> str | None:
    if program is None:
        return None
    ask = ["timeout", "-k", "1", f"{seconds:g}", "sh", "-c", '"$0" --version | head -c 4096', program]
    try:
        said = subprocess.run(ask, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * seconds + 1).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"version (\d{1,6}\.\d{1,6}\.\d{1,6})\b", said.decode(errors="replace"))
    return found[1] if found else None


def _killers(proc: Path) -> Iterator[str]:
    """Yield those that run; psutil would look below the root of the machine alone."""
    for entry in _entries(proc):
        if entry.name.isdigit() and _line(entry / "comm") in KILLERS:
            yield " ".join(_text(entry / "cmdline").split("\0")).strip()[:_LONGEST]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _line(path: Path) -> str | None:
    return _text(path).strip()[:_LONGEST] or None


def _text(path: Path) -> str:
    try:
        return read_plain(path).decode(errors="replace")
    except OSError:
        return ""
