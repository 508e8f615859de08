"""Something that listens in the engine's place, and answers what a test has it answer."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

OK = b"HTTP/1.0 200 OK\r\n\r\n"


class FakeEngine:
    """An engine with an answer for each path; what is no bytes is answered as JSON, and other paths are unknown to it.

    `head` is what comes before each of them.
    """

    def __init__(self, socket_path: str, answers: Mapping[str, object]) -> None:
        self.socket, self.answers, self.head = socket_path, dict(answers), OK

    def answer(self, request: bytes) -> bytes:
        """Return the whole answer to a request."""
        path = request.split()[1].decode().partition("?")[0]
        if path not in self.answers:
            return b'HTTP/1.0 404 Not Found\r\n\r\n{"message": "unknown"}'
        found = self.answers[path]
        return self.head + (found if isinstance(found, bytes) else json.dumps(found).encode())


@contextmanager
def fake_engine(folder: Path, answers: Mapping[str, object]) -> Iterator[FakeEngine]:
    """Have it listen in a folder."""
    one = FakeEngine(str(folder / "docker.sock"), answers)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(one.socket)
        listening.listen()

        def serve() -> None:
            while True:
                with listening.accept()[0] as connection:
                    request = connection.recv(1 << 16)
                    if not request:
                        return  # somebody who asks nothing ends it
                    connection.sendall(one.answer(request))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield one
        finally:
            with socket.socket(socket.AF_UNIX) as ending:
                ending.connect(one.socket)
            thread.join()
