"""The known name that somebody may have meant."""

from collections.abc import Iterable

BEGINNING = 3
"""From how many letters on a name is taken for the beginning of another."""


def nearest(wrong: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """Return the known name that is most like a wrong one, from `alike` (0 to 1) on; None when none is.

    One that begins so is nearer than any other: somebody has left its end out.
    """
    if not (names := list(known)):
        return None
    from difflib import get_close_matches  # a mistake may take its time

    if len(wrong) >= BEGINNING and (begun := [one for one in names if one.startswith(wrong)]):
        names, alike = begun, 0.0
    return next(iter(get_close_matches(wrong, names, n=1, cutoff=alike)), None)
