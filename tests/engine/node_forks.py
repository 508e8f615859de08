"""spark-mode on a node or a fleet's client, forked from what has imported everything: most of each start there is imports.

What starts is the same `main`, in that machine's namespaces, with the environment, folder and streams of whoever started
it there, and with the signals that come to that. `make test-deep` starts an interpreter each time.
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

from spark_mode.cli import __main__ as command
from tests.engine.apart import Apart
from tests.engine.forked import enter, in_a_fork

FORKS = "forks"
"""What the process is called of which the others are forks."""
ASKING = Path(__file__).with_name("ask_for_fork.py")
SPACES = ("net", "uts", "ipc", "mnt", "pid")
INTERPRETER = "-P -m spark_mode.cli"


def be_forked(place: Apart) -> None:
    """Have spark-mode be a fork wherever it is started in a machine, from now on."""
    path = place.folder / FORKS
    in_a_fork(_begin, place.pid, str(path))
    program = place.path("/usr/local/bin/spark-mode")
    text = program.read_text()
    assert INTERPRETER in text
    program.write_text(text.replace(INTERPRETER, f"-I -S {ASKING} {path}"))


def _begin(pid: int, path: str) -> None:
    """Enter the namespaces of a process, and leave one there that serves; it ends with the machine."""
    enter(*(Path(f"/proc/{pid}/ns/{kind}") for kind in SPACES))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(100)
    if os.fork() == 0:
        try:
            _serve(listener)
        finally:
            os._exit(1)


def _serve(listener: socket.socket) -> NoReturn:
    os.setsid()
    _be(FORKS)
    _hold([os.open(os.devnull, os.O_RDWR)] * 3 + [listener.fileno()])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    heard = socket.socket(fileno=3)
    while True:
        asked, _ = heard.accept()
        if os.fork() == 0:
            heard.close()
            _stand_by(asked)
        asked.close()


def _stand_by(asked: socket.socket) -> NoReturn:
    """Have a fork be spark-mode; tell whoever asked which one it is, and how it ended."""
    _be("fork")
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    said, streams, _, _ = socket.recv_fds(asked, 1 << 20, 4)
    if (process := os.fork()) == 0:
        words, environment = json.loads(said)
        _become(words, environment, streams)
    for one in streams:
        os.close(one)
    asked.send(str(process).encode())
    asked.send(str(os.waitpid(process, 0)[1]).encode())
    os._exit(0)


def _become(arguments: list[str], environment: dict[str, str], streams: list[int]) -> NoReturn:
    _be("python")
    os.setsid()
    os.fchdir(streams.pop())
    _hold(streams)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [command.__file__, *arguments]
    try:
        command.main()
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    finally:
        os._exit(1)


def _be(name: str) -> None:
    Path("/proc/self/comm").write_text(name)


def _hold(descriptors: list[int]) -> None:
    """Have these as the first descriptors, and no other one."""
    over = [os.dup(one) for one in descriptors]
    for number, one in enumerate(over):
        os.dup2(one, number)
    os.closerange(len(over), os.sysconf("SC_OPEN_MAX"))
