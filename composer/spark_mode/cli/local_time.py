"""Times of day as people have them: the journal and JSON keep ISO 8601 in UTC, a screen has the time on the wall here."""

import re
from datetime import UTC, date, datetime, tzinfo

_STAMP = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:\+00:00|Z)")


def local_times(text: str, now: datetime | None = None) -> str:
    """Return text with each time in UTC as the time here: `14:03`, `yesterday 23:10`, `26 Nov 23:10`, `26 Nov 2025`.

    `now` is any time of today, with its zone.
    """
    if not _STAMP.search(text):
        return text
    today, zone = (now or datetime.now(UTC).astimezone()).date(), now.tzinfo if now else None
    return _STAMP.sub(lambda found: _said(found[0], today, zone), text)


def _said(stamp: str, today: date, zone: tzinfo | None) -> str:
    """Return a time as it was here, in summer or in winter."""
    try:
        then = datetime.fromisoformat(f"{stamp[:19]}+00:00").astimezone(zone)
    except (ValueError, OverflowError):  # no day that there is
        return stamp
    days = (today - then.date()).days
    if days in (0, 1):
        return f"{'yesterday ' * days}{then:%H:%M}"
    day = f"{then.day} {_MONTHS[then.month - 1]}"
    return f"{day} {then:%H:%M}" if then.year == today.year else f"{day} {then.year}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Whatever language the machine speaks, this is said in English."""
