"""Times of day as people have them: the journal and JSON keep ISO 8601 in UTC, a screen has the time on the wall here."""

import re
from datetime import date, datetime, tzinfo

from spark_mode import wall_time

_STAMP = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:\+00:00|Z)")


def local_times(text: str, now: datetime | None = None) -> str:
    """Return text with each time in UTC as the time here: `14:03`, `yesterday 23:10`, `26 Nov 23:10`, `26 Nov 2025`.

    `now` is any time of today, with its zone.
    """
    if not _STAMP.search(text):
        return text
    today, zone = _today(now), now.tzinfo if now else None
    return _STAMP.sub(lambda found: _said(found[0], today, zone), text)


def day_of(stamp: str, now: datetime | None = None) -> str:
    """Return the day of a time in UTC, as it was here: `26 Nov`, `26 Nov 2025`."""
    then = _here(stamp, now.tzinfo if now else None)
    return stamp[:10] if then is None else f"{_day(then)}{'' if then.year == _today(now).year else f' {then.year}'}"


def _said(stamp: str, today: date, zone: tzinfo | None) -> str:
    then = _here(stamp, zone)
    if then is None:
        return stamp
    days = (today - then.date()).days
    if days in (0, 1):
        return f"{'yesterday ' * days}{then:%H:%M}"
    return f"{_day(then)} {then:%H:%M}" if then.year == today.year else f"{_day(then)} {then.year}"


def _today(now: datetime | None) -> date:
    return (now or datetime.fromisoformat(wall_time.now()).astimezone()).date()


def _here(stamp: str, zone: tzinfo | None) -> datetime | None:
    """Return a time as it was here, in summer or in winter; None of what is no time."""
    try:
        return datetime.fromisoformat(f"{stamp[:19]}+00:00").astimezone(zone)
    except (ValueError, OverflowError):
        return None


def _day(then: date) -> str:
    return f"{then.day} {_MONTHS[then.month - 1]}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Whatever language the machine speaks, this is said in English."""
