"""The screen that people look at most."""

from collections.abc import Iterator

from composer.cli.tables import age, columns, readable
from composer.lab.size import gb_text
from composer.switching.status import Status, seconds_since

BAR = 40


def status_text(seen: Status) -> str:
    """Return the status for people: most important first."""
    return "\n".join(_lines(seen))


def _lines(seen: Status) -> Iterator[str]:
    since = seconds_since(seen.since) if seen.since else None
    yield f"mode    {seen.mode}" + (f", for {age(since)}" if since is not None else "")
    yield f"memory  {_bar(seen)}"
    for violation in seen.violations:
        yield f"AGAINST THE RULES: {violation}"
    yield ""
    if seen.services:
        head = ("SERVICE", "CLASS", "STATE", "HEALTH", "AGE", "PLANNED")
        rows = [
            (
                readable(one.service),
                one.class_,
                one.state,
                "-" if one.health == "none" else one.health,
                "-" if one.age is None else age(one.age),
                "-" if one.planned is None else gb_text(one.planned),
            )
            for one in seen.services
        ]
        yield columns([head, *rows], right=(5,))
    else:
        yield "nothing of the lab runs"
    if seen.models:
        yield f"models  {', '.join(seen.models)} (budgeted)"
    yield f"planned in all: {gb_text(seen.declared)} of {gb_text(seen.capacity)}"
    yield from _now(seen)
    if seen.foreign:
        yield f"\noutside the lab, and never touched: {', '.join(map(readable, seen.foreign))}"
    if seen.others:
        yield f"\ncontainers of others, never touched: {', '.join(map(readable, seen.others))}"


def _now(seen: Status) -> Iterator[str]:
    """Say what another mode would cost; those that cost the same share a line."""
    costs: dict[str, list[str]] = {}
    for one in seen.changes:
        cost = f"refused: {one.refused}" if one.refused else f"stops {', '.join(one.stops)}" if one.stops else "stops nothing"
        costs.setdefault(cost, []).append(one.request)
    if costs:
        yield "\nanother mode now:"
        yield columns([(f"  {', '.join(requests)}", cost) for cost, requests in costs.items()])


def _bar(seen: Status) -> str:
    total, available = seen.memory.total, seen.memory.available
    if total is None or available is None:
        return "unknown"
    used = round(BAR * (total - available) / total)
    bar = "#" * used + "." * (BAR - used)
    return f"[{bar}] {gb_text(total - available)} used, {gb_text(available)} of {gb_text(total)} available"
