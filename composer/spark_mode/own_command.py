"""The command line that is spark-mode itself, in whatever directory it is called.

`-P` keeps the working directory out of Python's search path, and `-E` what a variable would put there: an empty entry of
PYTHONPATH is the working directory again. It is not `-I`, which leaves out the user's own packages too: `pip install --user` puts
spark-mode there.
"""

import sys

MODULE = "spark_mode.cli"


def own_command(module: str = MODULE) -> list[str]:
    """Return that of every file that is installed."""
    return [sys.executable, "-P", "-E", "-m", module]


def same_command() -> list[str]:
    """Return that of another process of this one's: it is found by a variable only where this one was."""
    return [sys.executable, "-P", *(["-E"] if sys.flags.ignore_environment else []), "-m", MODULE]
