"""Many names in a line that somebody reads: a few of them, and how many more there are."""

from collections.abc import Sequence


def few(names: Sequence[str], most: int) -> str:
    """Return the names as a list; of many more than `most` the first, and how many more there are."""
    if len(names) <= most + 1:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
