"""The program of the container: `python /app`."""

import signal
import sys
from pathlib import Path
from types import FrameType

ALIVE = Path("/tmp/alive")  # noqa: S108 - nobody else is in this container; the health check looks at its age
stop: list[str] = []


def asked(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what Python calls it with
    """Note that the training shall end; it does so after its step."""
    stop.append(signal.Signals(number).name)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)
    ALIVE.unlink(missing_ok=True)
    from train import main  # after the signals: PyTorch takes seconds to import, and a stop may come meanwhile

    code = main(stop, ALIVE)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # all is written, and PyTorch takes its time to end
    sys.exit(code)
