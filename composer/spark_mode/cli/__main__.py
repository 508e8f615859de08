"""Where `spark-mode`, `python -m spark_mode.cli` and `docker spark` begin."""

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command. Never returns.

    Until a switch takes signals over, Ctrl-C ends the process at once: there is nothing to undo, and an exception that
    comes up in the middle of an import may be lost.
    """
    for number in range(3):  # a file or a socket must not get the number of a stream that is closed
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupted)
    if sys.argv[1:2] == ["docker-cli-plugin-metadata"]:
        from spark_mode.cli.docker_plugin import metadata  # Docker asks often, and waits

        sys.stdout.write(f"{metadata()}\n")
        sys.exit(0)
    from spark_mode.cli.main import run

    run()


def _interrupted(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the interface of signal.signal
    os.write(2, "spark-mode: interrupted\n  → see what runs: spark-mode status\n".encode())
    os._exit(130)


if __name__ == "__main__":
    main()
