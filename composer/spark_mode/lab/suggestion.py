"""The known name that somebody may have meant."""

from collections.abc import Iterable


def nearest(wrong: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """Return the known name that is most like a wrong one, from `alike` (0 to 1) on; None when none is."""
    if not (names := list(known)):
        return None
    from difflib import get_close_matches  # a mistake may take its time

    return next(iter(get_close_matches(wrong, names, n=1, cutoff=alike)), None)
