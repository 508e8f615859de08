"""spark-mode on a node, a fleet's client or in a shell, forked from what has imported everything: most of a start is imports.

What starts is the same `main`, in that machine's namespaces, with the environment, folder and streams of whoever started
it there, and with the signals that come to that. `make test-deep` starts an interpreter on a machine each time.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from spark_mode.cli import __main__ as command
from tests.engine.apart import Apart
from tests.engine.forked import beside, enter, in_a_fork
from tests.engine.lab import until

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


@contextmanager
def forks_here(path: Path) -> Iterator[str]:
    """Have forks be asked for at a path; yield what an interpreter is to be told in place of which module it is to run."""
    with beside(_serve_here, str(path)):
        until(path.exists)
        yield f"-I -S {ASKING} {path}"


def _serve_here(path: str) -> NoReturn:
    _serve(_listening(path))


def _begin(pid: int, path: str) -> None:
    """Enter the namespaces of a process, and leave one there that serves; it ends with the machine."""
    enter(*(Path(f"/proc/{pid}/ns/{kind}") for kind in SPACES))
    listener = _listening(path)
    if os.fork() == 0:
        try:
            _serve(listener)
        finally:
            os._exit(1)


def _listening(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"{path}.")
    listener.listen(100)
    Path(f"{path}.").rename(path)  # where it is, it is listened at
    return listener


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
