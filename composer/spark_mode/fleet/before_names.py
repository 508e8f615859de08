"""More options for a command that another one has given as words."""

from collections.abc import Sequence


def before_names(words: Sequence[str], *options: str) -> tuple[str, ...]:
    """Return words with more options: what follows `--` is no option."""
    end = list(words).index("--") if "--" in words else len(words)
    return (*words[:end], *options, *words[end:])
