"""More options for a command that another one has given as words."""

from collections.abc import Sequence

NO_OPTIONS = "--"
"""What follows it on a line is no option."""


def before_names(words: Sequence[str], *options: str) -> tuple[str, ...]:
    """Return words with more options."""
    end = len(options_in(words))
    return (*words[:end], *options, *words[end:])


def options_in(words: Sequence[str]) -> Sequence[str]:
    """Return the words among which options may be."""
    return words[: list(words).index(NO_OPTIONS)] if NO_OPTIONS in words else words
