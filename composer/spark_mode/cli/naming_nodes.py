"""Whether a command line is for several machines; light, because every command asks it."""

from collections.abc import Sequence

OPTION, LONG_OPTION = "-H", "--on"


def asks_nodes(arguments: Sequence[str]) -> bool:
    """Whether a command line names machines."""
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return any(one[:2] == OPTION or one.partition("=")[0] == LONG_OPTION for one in before)
