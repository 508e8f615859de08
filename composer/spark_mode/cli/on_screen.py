"""The last thing that happens to a text before somebody reads it, the same for every screen and every line of progress."""

from typing import TextIO

from spark_mode.cli.emphasis import emphasised
from spark_mode.cli.local_time import local_times
from spark_mode.cli.tables import terminal_width, within
from spark_mode.readable import readable_lines


def on_screen(text: str, stream: TextIO) -> str:
    """Return text without control characters, with the times of here, within the terminal's width, and with its emphasis."""
    return emphasised(within(local_times(readable_lines(text)), terminal_width(stream)), stream)
