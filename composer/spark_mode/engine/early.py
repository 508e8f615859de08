"""A question to the engine that is asked before anything heavy is imported, and answered while it is."""

import socket
import time

QUESTION = b"GET /info HTTP/1.0\r\nHost: docker\r\n\r\n"
SECONDS = 10.0
MOST_BYTES = 64 << 20
"""Of one answer; ten thousand containers are listed in twenty million bytes."""


class TooLong(OSError):
    """An answer has more bytes than any that is meant well."""


def read_answer(connection: socket.socket, deadline: float) -> bytes:
    """Return all that comes until the connection ends. Raises TimeoutError at the deadline (monotonic), TooLong, OSError."""
    answer = bytearray()
    while len(answer) <= MOST_BYTES:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        chunk = connection.recv(1 << 16)
        if not chunk:
            return bytes(answer)
        answer += chunk
    raise TooLong


class EarlyInfo:
    """Which engine answers at a socket: the slowest thing to ask it, and the same during a whole command."""

    def __init__(self, path: str, seconds: float = SECONDS) -> None:
        self._connection: socket.socket | None = socket.socket(socket.AF_UNIX)
        self._deadline = time.monotonic() + seconds
        try:
            self._connection.settimeout(seconds)
            self._connection.connect(path)
            self._connection.sendall(QUESTION)
        except OSError:
            self._connection.close()  # whoever needs the answer asks again, and says what is wrong
            self._connection = None

    def answer(self) -> bytes | None:
        """Return the whole answer, once; None where there was none in time."""
        connection, self._connection = self._connection, None
        if connection is None:
            return None
        with connection:
            try:
                return read_answer(connection, self._deadline)
            except OSError:
                return None
