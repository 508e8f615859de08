"""What follows from records of the journal that are not understood: nothing is switched before somebody has said so."""

from spark_mode.errors import NeedsAttention
from spark_mode.journal.journal import JournalState
from spark_mode.planning.request import Request

UNDERSTOOD = "where a newer release is installed, use that; else go by what runs now: spark-mode recover"


def require_understood(known: JournalState, request: Request | None = None) -> None:
    """Raise NeedsAttention when a switch may be unfinished that cannot be told, or a hold; whatever the request is, if it is one.

    A stop of everything is always possible.
    """
    if known.puzzle and (request is None or request.verb != "stop" or request.names):
        raise NeedsAttention(known.puzzle, UNDERSTOOD)
