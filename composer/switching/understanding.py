"""What follows from records of the journal that are not understood: nothing is switched before somebody has said so."""

from composer.errors import NeedsAttention
from composer.planning.request import Request
from composer.switching.journal import Past

UNDERSTOOD = "where a newer release is installed, use that; else go by what runs now: spark-mode recover"


def require_understood(known: Past, request: Request) -> None:
    """Raise NeedsAttention when a switch may be unfinished that cannot be told; a stop of everything is always possible."""
    if known.puzzle and (request.verb != "stop" or request.names):
        raise NeedsAttention(known.puzzle, UNDERSTOOD)
