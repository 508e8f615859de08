"""The last thing that happens to a text before somebody reads it, the same for every screen and every line of progress."""

from typing import TextIO

from spark_mode.cli.emphasis import emphasised
from spark_mode.cli.for_sudo import for_sudo
from spark_mode.cli.tables import terminal_width, within
from spark_mode.readable import readable_lines
from spark_mode.reporting.local_time import local_times


def on_screen(text: str, stream: TextIO) -> str:
    """Return text without control characters, with the times and the program of here, within the width, and with its emphasis."""
    return emphasised(within(for_sudo(local_times(readable_lines(text))), terminal_width(stream)), stream)
