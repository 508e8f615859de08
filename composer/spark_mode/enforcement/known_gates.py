"""Where gates were installed: whoever takes spark-mode away has to find each, because without its program every `up` fails."""

import json
import os
import shlex
from contextlib import suppress
from pathlib import Path

from spark_mode.enforcement.gate_file import NAME, PROGRAM
from spark_mode.own_command import own_command
from spark_mode.plain_file import plain_text
from spark_mode.sharing.shared_file import open_shared

FILE = "gates"
"""In the state, a line for each folder in which a gate was ever installed."""


def remember_gate(state: Path, folder: Path) -> None:
    """Write down that a folder has a gate now; one that cannot be written down is found where it was installed alone."""
    if folder in _written(state):
        return
    with suppress(OSError):
        descriptor = open_shared(state / FILE, os.O_APPEND)
        try:
            os.write(descriptor, f"{json.dumps(str(folder))}\n".encode())
        finally:
            os.close(descriptor)


def known_gates(state: Path) -> list[Path]:
    """Return the folders, of those written down in a state, that have a gate of this installation now."""
    return [folder for folder in _written(state) if _is_ours(folder)]


def _written(state: Path) -> list[Path]:
    folders: dict[Path, None] = {}
    for line in (plain_text(state / FILE) or "").splitlines():
        with suppress(ValueError, TypeError):
            folders[Path(json.loads(line))] = None
    return list(folders)


def _is_ours(folder: Path) -> bool:
    """Whether the gate of a folder calls this installation; that of another one stays when this one goes."""
    calls_us = shlex.join(own_command("spark_mode.enforcement.gate")) in (plain_text(folder / PROGRAM) or "")
    return calls_us and os.path.lexists(folder / NAME)
