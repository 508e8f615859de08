"""A place that has its own loopback and no other network: who is there reaches nobody else."""

import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.engine.forked import enter


class Loopback:
    """The network of a process; this one's own where none is named."""

    def __init__(self, process: int | None = None) -> None:
        self.namespace = Path(f"/proc/{process}/ns/net") if process else None
        self.before = ("nsenter", f"--target={process}", "--net") if process else ()
        """The words before a command that is to run there."""

    def listening(self) -> socket.socket:
        """Listen at a port there."""

        def listen() -> socket.socket:
            if self.namespace:
                enter(self.namespace)  # by this thread alone
            return socket.create_server(("127.0.0.1", 0))

        with ThreadPoolExecutor(1) as other:
            return other.submit(listen).result()


@contextmanager
def loopback() -> Iterator[Loopback]:
    """Have such a place; where that cannot be, as for all but root, it is this process's network."""
    command = ["unshare", "--net", "sh", "-ec", "ip link set lo up; echo ready; exec cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as keeper:
        assert keeper.stdout is not None
        try:
            yield Loopback(keeper.pid) if keeper.stdout.readline() == "ready\n" else Loopback()
        finally:
            keeper.kill()
