"""Names in a line that somebody reads: of many a few, and how many more there are; how many there are; and the verb."""

from collections.abc import Sequence, Sized


def few(names: Sequence[str], most: int) -> str:
    """Return the names as a list; of many more than `most` the first, and how many more there are."""
    if len(names) <= most + 1:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def counted(number: int, noun: str) -> str:
    """Return how many of something there are, `no` of it where there is none."""
    return f"{number or 'no'} {noun}{'s' * (number != 1)}"


def agreeing(names: Sized, one: str, several: str) -> str:
    """Return the form of a verb that goes with these names: that of one, or of several."""
    return one if len(names) == 1 else several
