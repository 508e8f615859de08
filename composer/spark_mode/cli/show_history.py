"""What was switched, as a table: the day and the time of here, and how it ended in a sentence."""

from collections.abc import Sequence
from datetime import datetime

from spark_mode.cli.local_time import local_times
from spark_mode.cli.tables import columns
from spark_mode.readable import readable
from spark_mode.reporting.history import Event

ENDS = {"applied": "done", "unchanged": "nothing to do", "rolled-back": "went back"}
"""How an outcome is said, where its own word in JSON is not what people say."""
DECLINED = "you said no"
"""How the note begins of what was refused by an answer."""


def history_text(events: Sequence[Event], width: int | None = None, now: datetime | None = None) -> str:
    """Return the table, oldest first; `now` is any time of today, for whoever is not here now."""
    if not events:
        return "nothing was switched here yet"
    head = ("WHEN", "REQUEST", "BY", "TOOK", "OUTCOME")
    rows = [
        (local_times(one.at, now), readable(one.request), readable(one.by), one.took, readable(local_times(_end(one), now)))
        for one in events
    ]
    return columns([head, *rows], right=(3,), width=width, spare=(2,))


def _end(event: Event) -> str:
    """Return how a request ended, with the first line of what there is to say of it that is not said yet."""
    said = ENDS.get(event.outcome, event.outcome)
    notes = [note.removeprefix(f"{event.request}: ") for note in (event.note or "").splitlines()]
    note = next((one for one in notes if one not in ("", said, event.outcome)), "")
    if note.startswith(DECLINED):
        return note
    return f"{said}{', ' if event.outcome == 'applied' else ': '}{note}" if note else said
