"""The journal on a disk: one checksummed line a record, synced before the effect that it announces.

A line is the CRC-32 of its JSON in hexadecimal, a space, and the JSON. A last line without its end was never
acknowledged: the next append cuts it off. A line whose checksum is wrong was acknowledged, and is not understood.

At 32 KiB the file is replaced as a whole by a smaller one: what is in force, those records as they are that are still
needed or not understood, and the new one. Before that, how requests ended is kept in `….1`, for the history alone. So at
each instant the file has all that is in force, also while a switch is open, and reading it costs a millisecond or two.
"""

import json
import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from spark_mode.journal.journal import JournalFailed, JournalState, folded, understood
from spark_mode.journal.records import Record, Snapshot, StepEnded
from spark_mode.plain_file import fault
from spark_mode.sharing.disk import Disk, OpenFile, RealDisk

LIMIT = 32 * 1024
"""Bytes at which a journal begins anew, unless more than half of it is in force."""
HISTORY = 2 * LIMIT
"""Bytes that are kept for the history: one or two hundred requests, beside those in the journal itself."""
LONGEST = 1024 * 1024
"""Bytes of a last line that are looked at."""
_DAMAGED = {"kind": "damaged"}


class JournalFile:
    """A journal at a path. Appends of several processes exclude each other."""

    def __init__(self, path: Path, disk: Disk | None = None, limit: int = LIMIT) -> None:
        self.path = path
        self.former = path.with_name(f"{path.name}.1")
        self._disk, self._limit = disk or RealDisk(), limit

    def records(self) -> list[Mapping[str, Any]]:
        """Return what is in force. Raises JournalFailed when a file is there and may not be read."""
        return [_checked(line) or _DAMAGED for line in self._lines()]

    def history(self) -> list[Mapping[str, Any]]:
        """Return how requests ended, as far as that is kept. Raises JournalFailed as `records` does."""
        lines = _endings([*_lines(self._read(self.former)), *_lines(self._read(self.path))])
        return [record for line in lines if (record := _checked(line))]

    def append(self, *records: Record) -> None:
        line = b"".join(map(_line, records))
        try:
            with self._disk.opened(self.path) as file:
                if file.size() >= self._limit and self._begin_anew(line, file.size()):
                    return
                _end_line(file)
                _write(file, line, sync=not all(isinstance(one, StepEnded) for one in records))
        except OSError as error:
            raise JournalFailed(*fault(self.path, error, "make room, or make it writable")) from None

    def _begin_anew(self, line: bytes, size: int) -> bool:
        """Replace the file by what is in force and a new line; return False where that is no better, or not possible."""
        try:
            lines, own, former = self._lines(), _lines(self._read(self.path)), _lines(self._read(self.former))
            known = folded(map(_understood, lines))
            kept = [lines[index] + b"\n" for index in known.kept]
            new = b"".join([_line(_carried(known)), *kept, line])
            if 2 * len(new) > size:
                return False
            replacements = [(self.former, _last([*former, *own])), (self.path, new)]
            for path, text in replacements if lines == own else reversed(replacements):  # the former one last where it counts
                self._disk.replace(path, text)
        except (OSError, JournalFailed):
            return False  # a folder that is full or may not be written, or what is no file; the line itself may still be
        return True

    def _lines(self) -> list[bytes]:
        """Return the lines in force; those of the former file count where this one does not begin with what was carried."""
        lines = _lines(self._read(self.path))
        first = _checked(lines[0]) if lines else None
        return lines if first and first.get("kind") == "carried" else [*_lines(self._read(self.former)), *lines]

    def _read(self, path: Path) -> bytes:
        try:
            return self._disk.read(path)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise JournalFailed(*fault(path, error, "spark-mode must be able to read its journal there")) from None


def _write(file: OpenFile, line: bytes, sync: bool) -> None:
    """Write a line as a whole, and sync it. What a full disk took of it is cut off again."""
    begun = file.size()
    try:
        written = 0
        while written < len(line):
            written += file.write(line[written:])
        if sync:
            file.sync()
    except OSError:
        file.cut(begun)
        raise


def _end_line(file: OpenFile) -> None:
    """Have the file end with a whole line: a torn one goes, one that only lost its end stays, to be counted as damaged."""
    size = file.size()
    if size == 0 or file.read(1, size - 1) == b"\n":
        return
    tail_at = max(0, size - LONGEST)
    tail = file.read(size - tail_at, tail_at).rpartition(b"\n")[2]
    if _is_whole(tail):
        file.write(b"\n")
    else:
        file.cut(size - len(tail))


def _line(record: Record) -> bytes:
    text = record.model_dump_json().encode()
    return f"{zlib.crc32(text):08x} ".encode() + text + b"\n"


def _lines(text: bytes) -> list[bytes]:
    *lines, tail = text.split(b"\n")
    return [*lines, tail] if _is_whole(tail) else lines


def _is_whole(tail: bytes) -> bool:
    """Whether the last line was written as a whole, and its end has become something else."""
    return _checked(tail[:-1]) is not None


def _endings(lines: Iterable[bytes]) -> list[bytes]:
    """Return the lines that say how a request ended, each once: a new beginning that was cut off has kept some twice."""
    return [line for line in dict.fromkeys(lines) if b'"kind":"ended"' in line]


def _last(lines: Iterable[bytes]) -> bytes:
    """Return the latest endings that the history has room for."""
    text = b"".join(line + b"\n" for line in _endings(lines))
    return text[-HISTORY:].partition(b"\n")[2] if len(text) > HISTORY else text


def _carried(known: JournalState) -> Snapshot:
    in_force = known.model_dump(include={"then", "owed", "ended_by", "last_change"})
    return Snapshot(policies=tuple(known.policies.values()), holds=known.holds, state=known.state, **in_force)


@lru_cache(maxsize=1024)
def _checked(line: bytes) -> Mapping[str, Any] | None:
    """Return the record of a line, or None when it is not what was written. A switch reads each line a dozen times."""
    checksum, _, text = line.partition(b" ")
    if checksum != f"{zlib.crc32(text):08x}".encode():
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


@lru_cache(maxsize=1024)
def _understood(line: bytes) -> Record | None:
    """Return what a line says, None where it is not understood: while much is in force, each new line asks that of all."""
    return understood(_checked(line) or _DAMAGED)
