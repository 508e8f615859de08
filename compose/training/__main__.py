"""The program of the container: `python /app`."""

import signal
import sys
from pathlib import Path
from types import FrameType

ALIVE = Path("/dev/shm/alive")  # noqa: S108 - the container's own, and empty at each start; the health check looks at its age
stop: list[str] = []


def asked(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what Python calls it with
    """Note that the training shall end; it does so after its step."""
    stop.append(signal.Signals(number).name)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)
    from train import main  # after the signals: PyTorch takes seconds to import, and a stop may come meanwhile

    code = main(stop, ALIVE)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # all is written, and PyTorch takes its time to end
    sys.exit(code)
