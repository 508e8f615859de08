"""The program of the workshop's container: it has PyTorch imported, and runs the trainer in processes that it forks.

Each connection to its socket is a request, a line of JSON: to run something, or to send a signal to what runs.
"""

import json
import os
import runpy
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # which an optimiser imports
import torch._inductor.config  # which deterministic algorithms import

FOLDER = Path("/trainers")


def run(request: dict[str, Any]) -> int:
    """Be the program of a request; return how it exits."""
    os.environ.update(request["environment"])
    log = os.open(FOLDER / request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number in (1, 2):
        os.dup2(log, number)
    try:
        if "code" in request:
            os.chdir(request["folder"])
            sys.path.insert(0, "/app")
            exec(request["code"], {"__name__": "__main__", "torch": torch})  # noqa: S102 - it is for this
        else:
            runpy.run_path("/app", run_name="__main__")
    except SystemExit as leaving:
        if isinstance(leaving.code, str):
            sys.stderr.write(f"{leaving.code}\n")
        return leaving.code if isinstance(leaving.code, int) else bool(leaving.code)
    except BaseException:  # noqa: BLE001 - as an interpreter does
        traceback.print_exc()
        return 1
    return 0


def answer(connection: socket.socket) -> None:
    """Do as is asked; answer with the number of a process that runs, and then with how it ended."""
    with connection, connection.makefile("rw") as lines:
        request = json.loads(lines.readline())
        if "signal" in request:
            os.kill(request["number"], request["signal"])
            return
        if not (pid := os.fork()):
            code = run(request)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        print(pid, file=lines, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), file=lines, flush=True)


if __name__ == "__main__":
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(FOLDER / "early"))
        listening.listen()
        (FOLDER / "early").rename(FOLDER / "socket")
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            connection, _ = listening.accept()
            if os.fork():
                connection.close()
                continue
            listening.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            answer(connection)
            os._exit(0)
