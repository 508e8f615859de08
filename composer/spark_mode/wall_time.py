"""The time of day, which is for people: deadlines and leases use the monotonic clock."""

from datetime import UTC, datetime


def now() -> str:
    """Return the wall time for people, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def seconds_since(moment: str) -> float | None:
    """Return the seconds since an ISO 8601 time of the engine, None for a time that is not one."""
    try:
        then = datetime.fromisoformat(moment[:19] + "+00:00")
    except ValueError:
        return None
    return max(0.0, (datetime.now(UTC) - then).total_seconds()) if then.year > 1 else None
