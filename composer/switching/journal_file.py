"""The journal on a disk: one checksummed line a record, synced before the effect that it announces.

A line is the CRC-32 of its JSON in hexadecimal, a space, and the JSON. A last line without its end was never
acknowledged: the next append cuts it off. A line whose checksum is wrong is passed over by every reader. At 256 KiB the
file becomes `….1`, and the new one begins with what is still owed, so there are never more than two.
"""

import fcntl
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from composer.switching.journal import JournalFailed, past
from composer.switching.records import Carried, Record, StepEnded
from composer.switching.shared_file import open_shared

ROTATED_AT = 256 * 1024
LONGEST = 4 * ROTATED_AT
"""Bytes that are read of one file at most: somebody else's file must not fill the memory."""


class JournalFile:
    """A journal at a path. Appends of several processes exclude each other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.former = path.with_name(f"{path.name}.1")

    def records(self) -> list[Mapping[str, Any]]:
        """Return what can be read. Raises JournalFailed when a file is there and may not be read."""
        return [record for path in (self.former, self.path) for record in _records(_read(path))]

    def damaged(self) -> int:
        """Return how many lines have a wrong checksum; a torn last one is not counted."""
        return sum(1 for path in (self.former, self.path) for line in _lines(_read(path)) if _checked(line) is None)

    def append(self, record: Record) -> None:
        line = _line(record)
        try:
            with self._opened() as descriptor:
                size = os.fstat(descriptor).st_size
                whole = _whole(descriptor, size)
                if whole < size:
                    os.ftruncate(descriptor, whole)
                _write(descriptor, line, sync=not isinstance(record, StepEnded))
        except OSError as error:
            raise JournalFailed(f"{self.path}: {error.strerror}") from None

    def rotate(self) -> None:
        """Begin a new file when this one is large. Call it only while no switch is open. Raises JournalFailed."""
        try:
            if not self.path.exists() or self.path.stat().st_size < ROTATED_AT:
                return
            with self._opened():
                known = past(self.records())
                owed = tuple(known.policies.values())
                carried = Carried(policies=owed, holds=known.holds, state=known.state, then=known.then)
                new = self.path.with_name(f".{self.path.name}.{os.getpid()}")
                descriptor = open_shared(new, os.O_TRUNC)
                try:
                    _write(descriptor, _line(carried))
                finally:
                    os.close(descriptor)
                self.path.rename(self.former)
                new.rename(self.path)
                _sync_folder(self.path.parent)
        except OSError as error:
            raise JournalFailed(f"{self.path}: {error.strerror}") from None

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Yield the file, locked, and certainly the one that is at the path now."""
        while True:
            is_new = not self.path.exists()
            descriptor = open_shared(self.path, os.O_APPEND)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # held for one write, so this wait is as long as the disk is slow
                if not _is_at(descriptor, self.path):
                    continue
                if is_new:
                    _sync_folder(self.path.parent)
                yield descriptor
                return
            finally:
                os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _write(descriptor: int, line: bytes, sync: bool = True) -> None:
    """Write a line as a whole, and sync it. What a full disk took of it is cut off again."""
    begun = os.fstat(descriptor).st_size
    try:
        written = 0
        while written < len(line):
            written += os.write(descriptor, line[written:])
        if sync:
            os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, begun)
        raise


def _whole(descriptor: int, size: int) -> int:
    """Return where the last whole line ends."""
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return size
    tail_at = max(0, size - LONGEST)
    return tail_at + os.pread(descriptor, size - tail_at, tail_at).rfind(b"\n") + 1


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line(record: Record) -> bytes:
    text = record.model_dump_json().encode()
    return f"{zlib.crc32(text):08x} ".encode() + text + b"\n"


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hold us up
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise JournalFailed(f"{path}: {error.strerror}") from None
    try:
        return os.read(descriptor, LONGEST)
    except OSError as error:
        raise JournalFailed(f"{path}: {error.strerror}") from None
    finally:
        os.close(descriptor)


def _lines(text: bytes) -> list[bytes]:
    return text.split(b"\n")[:-1]


def _records(text: bytes) -> Iterator[Mapping[str, Any]]:
    for line in _lines(text):
        if (record := _checked(line)) is not None:
            yield record


def _checked(line: bytes) -> Mapping[str, Any] | None:
    """Return the record of a line, or None when it is not what was written."""
    checksum, _, text = line.partition(b" ")
    if checksum != f"{zlib.crc32(text):08x}".encode():
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
