"""Stands for a fork of spark-mode on a node: it has its environment, folder and streams, its signals, and its end."""

import json
import os
import signal
import socket
import sys
from types import FrameType
from typing import NoReturn


def main(path: str, *words: str) -> NoReturn:
    """Ask for a fork, and end as it does."""
    asked = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    asked.connect(path)
    socket.send_fds(asked, [json.dumps([words, {**os.environ}]).encode()], [0, 1, 2, os.open(".", os.O_RDONLY)])
    process = int(asked.recv(99))

    def pass_on(number: int, _: FrameType | None) -> None:
        os.kill(process, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    code = os.waitstatus_to_exitcode(int(asked.recv(99)))
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
