"""Whose program is at the other end of a connection on this machine, as the kernel says."""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
"""The kernel's TCP sockets of this network namespace (proc(5)); an IPv6 socket may speak IPv4, and stands in the second then."""
LOOKS = 3
"""The kernel writes a table in pieces, and what moves meanwhile may be passed over."""
_MAPPED = b"\0" * 10 + b"\xff\xff"


def uid_of(connection: socket.socket) -> int | None:
    """Return the user who opened the other end of a connection; None where the kernel does not say, or no longer."""
    try:
        if connection.family == socket.AF_UNIX:
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            return int(struct.unpack("3i", credentials)[1])
        ends = f" {_written(connection.getpeername())} {_written(connection.getsockname())} "
        mapped = f" {_mapped(connection.getpeername())} {_mapped(connection.getsockname())} "
    except OSError:  # it is closed by now
        return None
    found = (uid for _ in range(LOOKS) for table in TABLES for uid in _owners(table, (ends, mapped)))
    return next(found, None)


def _owners(table: Path, ends: tuple[str, str]) -> Iterator[int]:
    """Yield who owns the sockets between these ends. One that nobody has open any more stands there as root's, and as inode 0."""
    try:
        lines = table.read_text().splitlines()
    except OSError:  # a kernel without IPv6
        return
    for line in lines:
        if any(one in line for one in ends):
            fields = line.split()
            if fields[9] != "0":
                yield int(fields[7])


def _written(end: tuple[str, int]) -> str:
    """Return an address as the tables have it: each 32 bits as a number of this machine, in hexadecimal."""
    host, port = end[:2]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return _hexadecimal(socket.inet_pton(family, host), port)


def _mapped(end: tuple[str, int]) -> str:
    """Return an IPv4 address as an IPv6 socket has it."""
    host, port = end[:2]
    return _written(end) if ":" in host else _hexadecimal(_MAPPED + socket.inet_pton(socket.AF_INET, host), port)


def _hexadecimal(packed: bytes, port: int) -> str:
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return f"{''.join(f'{word:08X}' for word in words)}:{port:04X}"
