"""The known name that somebody may have meant."""

from collections.abc import Iterable

from spark_mode.lab.places import PROJECTS

BEGINNING = 3
"""From how many letters on a name is taken for the beginning of another."""


def meant_by(wrong: str, known: Iterable[str]) -> str | None:
    """Return the known name that somebody may have meant; one that begins so is nearer than any other."""
    names = list(known)
    begun = [one for one in names if one.startswith(wrong)] if len(wrong) >= BEGINNING else []
    return nearest(wrong, begun, alike=0.0) if begun else nearest(wrong, names)


def suggest(wrong: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?` for the nearest known name, or nothing when none is near."""
    near = meant_by(wrong, known)
    return f'; did you mean "{near}"?' if near else ""


def nearest(wrong: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """Return the known name that is most like a wrong one, from `alike` (0 to 1) on; None when none is."""
    if not (names := list(known)):
        return None
    from difflib import get_close_matches  # a mistake may take its time

    return next(iter(get_close_matches(wrong, names, n=1, cutoff=alike)), None)


def or_elsewhere(wrong: str, known: Iterable[str]) -> str:
    """Return what else to do about a service or a profile that no known one is like: another project may have it."""
    return "" if meant_by(wrong, known) else f"; where another project has it, name that one under {PROJECTS}"
