"""The engine's events: not read, only noticed."""

import select
import socket
import time


class EventStream:
    """The engine's events over a connection. What they say is not read: they are a hint to look."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.ended = False

    def wait(self, seconds: float) -> bool:
        if self.ended:
            time.sleep(seconds)
            return False
        if not select.select([self._connection], [], [], seconds)[0]:
            return False
        try:
            self.ended = not self._connection.recv(1 << 16)
        except OSError:
            self.ended = True
        return True
