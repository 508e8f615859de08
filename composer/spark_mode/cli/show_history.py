"""What was switched, as a table: the day and the time of here, and how it ended in a sentence."""

from collections.abc import Sequence
from datetime import datetime

from spark_mode.cli.tables import columns
from spark_mode.readable import readable
from spark_mode.reporting.history import Event, end_said
from spark_mode.reporting.local_time import local_times


def history_text(events: Sequence[Event], width: int | None = None, now: datetime | None = None) -> str:
    """Return the table, what ended first at the top; `now` is any time of today, for whoever is not here now."""
    if not events:
        return "nothing was switched here yet"
    head = ("WHEN", "REQUEST", "BY", "TOOK", "OUTCOME")
    rows = [
        (local_times(one.at, now), readable(one.request), readable(one.by), one.took, readable(local_times(end_said(one), now)))
        for one in events
    ]
    return columns([head, *rows], right=(3,), width=width, spare=(2,))
