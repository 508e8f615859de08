"""What a guard may find broken: the disk of the journal, and the real folder of the locks and leases."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

from spark_mode.sharing.lock import NAME
from tests.simulation.machine import SimulatedMachine

Broken = Literal[
    "the journal is read-only", "the journal is a folder", "the lock is a folder", "the locks are gone", "the leases are a folder"
]
BROKEN: tuple[Broken, ...] = get_args(Broken)
_FILES = {"the lock is a folder": NAME, "the leases are a folder": "leases.json", "the locks are gone": "."}


@contextmanager
def broken(what: Broken, machine: SimulatedMachine, locks: Path) -> Iterator[None]:
    """Have something broken meanwhile."""
    if what not in _FILES:
        machine.disk_fault = errno.EROFS if what == "the journal is read-only" else errno.EISDIR
        yield
        machine.disk_fault = None
        return
    path = locks / _FILES[what]
    aside = locks.with_name("aside")
    if path.exists():
        path.rename(aside)
    if path != locks:
        path.mkdir()
    yield
    if path != locks:
        path.rmdir()
    if aside.exists():
        aside.rename(path)
