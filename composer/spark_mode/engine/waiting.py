"""What a command of the user is until it may run: a process that waits for a word, and ends with whoever should say it.

Run as a program of its own, with the number of the pipe and the command. `SPARK_MODE_RUN` becomes its mark, which all that it
starts inherits: the process, and when that began, in ticks since boot.
"""

import os
import signal
import sys


def run() -> None:
    """Wait for the word, then become the command. Ends with 127 or 126 where that cannot be, as a shell does."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores, and a command would too
        signal.signal(number, signal.SIG_DFL)
    pipe, words = int(sys.argv[1]), sys.argv[2:]
    word = os.read(pipe, 100)
    os.close(pipe)
    if not word:
        os._exit(0)
    began = os.read(os.open("/proc/self/stat", os.O_RDONLY), 4096).rpartition(b")")[2].split()[19].decode()
    os.environ["SPARK_MODE_RUN"] = f"{os.getpid()}.{began}"
    try:
        os.execvp(words[0], words)  # noqa: S606 - the user's own command
    except OSError as error:
        sys.stderr.write(f"{words[0]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


if __name__ == "__main__":
    run()
