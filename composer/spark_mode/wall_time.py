"""The time of day, which is for people: deadlines and leases use the monotonic clock."""

from datetime import UTC, datetime, timedelta


def now() -> str:
    """Return the wall time for people, ISO 8601 in UTC."""
    return ago(0.0)


def ago(seconds: float) -> str:
    """Return the wall time of so many seconds ago, as `now` does."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="seconds")


def seconds_since(moment: str) -> float | None:
    """Return the seconds since an ISO 8601 time of the engine, None for a time that is not one."""
    try:
        then = datetime.fromisoformat(moment[:19]).replace(tzinfo=UTC)
    except ValueError:
        return None
    return max(0.0, (datetime.now(UTC) - then).total_seconds()) if then.year > 1 else None


def age(seconds: float) -> str:
    """Write a span of time as people do: `42 s`, `5 min`, `3 h 10 min`, `2 d 4 h`."""
    whole = int(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"
