"""Saying what lasts: once, and again only when it has become something else, or has come back."""

from collections.abc import Callable


class Lasting:
    """Says what goes on being so, by its kind."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told: dict[str, str] = {}

    def __call__(self, kind: str, told: str) -> None:
        """Say how it is with something, unless that was said last; an empty text is that nothing is wrong any more."""
        if told and told != self._told.get(kind):
            self._say(told)
        self._told[kind] = told
