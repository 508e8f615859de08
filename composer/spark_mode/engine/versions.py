"""Versions as programs and labels spell them: only their numbers are compared."""

import re

_NUMBERS = re.compile(r"v?(\d{1,9}(?:\.\d{1,9})*)", re.ASCII)


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with, `(2, 40, 3)` of `v2.40.3-desktop.1`; none of what is no version."""
    found = _NUMBERS.match(version.strip())
    return tuple(map(int, found[1].split("."))) if found else ()


def release(version: str) -> str:
    """Return a version without what is no number: distributions add to what Compose says of itself, and not to its labels."""
    return ".".join(map(str, numbers(version))) or version.strip()
