"""A disk in memory beneath the real journal: it fills up, tears what is written when its writer is killed, and forgets.

Its contents belong to the machine, so that a fork of the machine has a disk of its own. What was written and not synced is
there for everybody until the power fails. One with a fault lets nobody write, and only where it is mounted read-only read.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Self


class DiskOwner(Protocol):
    """The machine that a disk is in: `files` are seen by everybody, `synced` is what a power failure leaves of them."""

    files: dict[str, bytes]
    synced: dict[str, bytes]
    effects: int
    disk_full_at: int | None
    disk_fault: int | None
    lines: list[str]
    before_write: "dict[int, Callable[[Self], None]]"

    def effect(self, method: str, *arguments: object) -> None:
        """Have something happen that can be cut off by a kill."""


class SimulatedDisk:
    """The disk of a machine."""

    def __init__(self, owner: DiskOwner) -> None:
        self._owner = owner

    def read(self, path: Path) -> bytes:
        if self._owner.disk_fault != errno.EROFS:
            _require_usable(self._owner)
        if path.name not in self._owner.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self._owner.files[path.name]

    @contextmanager
    def opened(self, path: Path) -> "Iterator[SimulatedFile]":
        """Open a file, once what others do just before has been done: while it is open they wait for its lock."""
        _require_usable(self._owner)
        for line in sorted(line for line in self._owner.before_write if line <= len(self._owner.lines)):
            self._owner.before_write.pop(line)(self._owner)
        for known in (self._owner.files, self._owner.synced):
            known.setdefault(path.name, b"")
        yield SimulatedFile(self._owner, path.name)

    def replace(self, path: Path, contents: bytes) -> None:
        _require_usable(self._owner)
        if _is_full(self._owner):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._owner.effect("replace", path.name, contents)


class SimulatedFile:
    """A file of a machine's disk, open. One that is full takes half of what it is given first."""

    def __init__(self, owner: DiskOwner, name: str) -> None:
        self._owner, self._name = owner, name
        self._filled = False

    def size(self) -> int:
        return len(self._owner.files[self._name])

    def read(self, count: int, at: int) -> bytes:
        return self._owner.files[self._name][at : at + count]

    def write(self, text: bytes) -> int:
        if not _is_full(self._owner):
            self._owner.effect("write", self._name, text)
            return len(text)
        if self._filled:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._filled = True
        self._owner.files[self._name] += text[: len(text) // 2]
        return len(text) // 2

    def cut(self, size: int) -> None:
        self._owner.files[self._name] = self._owner.files[self._name][:size]

    def sync(self) -> None:
        self._owner.synced[self._name] = self._owner.files[self._name]


def forget(owner: DiskOwner, torn: int) -> None:
    """Have the power fail: of what was not synced no more than `torn` bytes of each file are there."""
    for name, synced in owner.synced.items():
        written = owner.files[name]
        kept = written[: len(synced) + torn] if written.startswith(synced) else synced
        owner.files[name] = owner.synced[name] = kept


def _require_usable(owner: DiskOwner) -> None:
    if owner.disk_fault is not None:
        raise OSError(owner.disk_fault, os.strerror(owner.disk_fault))


def _is_full(owner: DiskOwner) -> bool:
    return owner.disk_full_at is not None and owner.effects >= owner.disk_full_at
