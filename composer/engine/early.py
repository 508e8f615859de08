"""A question to the engine that is asked before anything heavy is imported, and answered while it is."""

import socket

QUESTION = b"GET /info HTTP/1.0\r\nHost: docker\r\n\r\n"
SECONDS = 10.0


class EarlyInfo:
    """Which engine answers at a socket: the slowest thing to ask it, and the same during a whole command."""

    def __init__(self, path: str) -> None:
        self._connection: socket.socket | None = socket.socket(socket.AF_UNIX)
        try:
            self._connection.settimeout(SECONDS)
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
                return b"".join(iter(lambda: connection.recv(1 << 16), b""))
            except OSError:
                return None
