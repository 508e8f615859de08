"""Bash takes a colon for the end of a word; here `training:large` and `llama3.1:8b` are one."""

from collections.abc import Sequence
from itertools import pairwise

from click.shell_completion import BashComplete, CompletionItem

COLON = ":"


class BashWords(BashComplete):
    """What bash asks and is told, with words that have colons in one piece; it is told only what comes after the last colon."""

    _offered = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one that is completed, and what of that there is."""
        before, piece = super().get_completion_args()
        *words, last = joined([*before, piece])
        if last != piece:
            self._offered = last if piece == COLON else last.removesuffix(piece)
        return words, last

    def format_completion(self, item: CompletionItem) -> str:
        """Return a completion without what bash has for a word of its own before it."""
        return f"{item.type},{str(item.value).removeprefix(self._offered)}"


def joined(pieces: Sequence[str]) -> list[str]:
    """Return words of which bash has made pieces at their colons."""
    words = list(pieces[:1])
    for former, piece in pairwise(pieces):
        if COLON in (former, piece):
            words[-1] += piece
        else:
            words.append(piece)
    return words
