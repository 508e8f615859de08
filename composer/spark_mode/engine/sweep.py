"""Many questions to the engine over one connection: asked in one go, answered in their order, at a quarter of the time.

A proxy in the engine's place may answer one question a connection. So answers are taken as far as they come whole, and
whoever asks sees to the rest.
"""

import socket
import time
from collections.abc import Iterator, Sequence

AT_ONCE = 100
"""How many questions are sent before their answers are read: as many as a socket takes in, or both sides would wait."""
MOST_BYTES = 64 << 20
"""Of one answer; ten thousand containers are listed in twenty million bytes."""
LONGEST_LINE = 1 << 16


class TooLong(OSError):
    """An answer has more bytes than any that is meant well."""


class _BrokenOff(Exception):
    """The connection ended, or went on in another form than HTTP/1.1."""


def swept(path: str, questions: Sequence[str], seconds: float) -> Iterator[tuple[int, bytes]]:
    """Yield status and body of the answer to each of these paths, as far as the engine gives them over one connection.

    `seconds` is for each hundred of them. Raises TimeoutError, TooLong and OSError.
    """
    if not questions:
        return
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        connection.connect(path)
        answers = _Answers(connection)
        for begin in range(0, len(questions), AT_ONCE):
            some = questions[begin : begin + AT_ONCE]
            answers.deadline = time.monotonic() + seconds
            connection.settimeout(seconds)
            try:
                connection.sendall(b"".join(f"GET {one} HTTP/1.1\r\nHost: docker\r\n\r\n".encode() for one in some))
                for _ in some:
                    yield answers.take()
            except (_BrokenOff, ConnectionError, ValueError):
                return


class _Answers:
    """What comes over a connection. `deadline` is monotonic."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._buffer = connection, bytearray()
        self.deadline = 0.0

    def take(self) -> tuple[int, bytes]:
        """Return status and body of the next answer. Raises _BrokenOff, ValueError where it has another form, OSError."""
        version, status = self._line().split()[:2]
        headers = {}
        while line := self._line():
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip().lower()
        if version != b"HTTP/1.1" or len(status) != 3:
            raise _BrokenOff
        chunked = headers.get(b"transfer-encoding") == b"chunked"
        body = self._chunks() if chunked else self._bytes(int(headers.get(b"content-length", b"-1")))
        return int(status), body

    def _chunks(self) -> bytes:
        body = bytearray()
        while size := int(self._line(), 16):
            body += self._bytes(size)
            if self._line():
                raise _BrokenOff
            if len(body) > MOST_BYTES:
                raise TooLong
        self._line()
        return bytes(body)

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > LONGEST_LINE:
                raise _BrokenOff
            self._more()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _bytes(self, count: int) -> bytes:
        if count < 0:
            raise _BrokenOff
        if count > MOST_BYTES:
            raise TooLong
        while len(self._buffer) < count:
            self._more()
        found = bytes(self._buffer[:count])
        del self._buffer[:count]
        return found

    def _more(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        chunk = self._connection.recv(1 << 16)
        if not chunk:
            raise _BrokenOff
        self._buffer += chunk
