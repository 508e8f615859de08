"""The screen that people look at most."""

from collections.abc import Iterator

from spark_mode.cli.tables import age, columns
from spark_mode.lab.few import few
from spark_mode.lab.joined import untold
from spark_mode.lab.size import gb_text
from spark_mode.readable import readable
from spark_mode.reporting.status_model import ModelStatus, Status
from spark_mode.wall_time import seconds_since

BAR = 40
PROJECTS, NAMES = 5, 5
"""How many projects of others are named, and containers of each."""
LEAST = 5 * 10**7
"""Bytes that are shown as anything but 0.0 GB."""


def status_text(seen: Status) -> str:
    """Return the status for people: most important first."""
    return "\n".join(_lines(seen))


def _lines(seen: Status) -> Iterator[str]:
    yield from _first(seen)
    yield ""
    if seen.services:
        several = ["PROJECT"] * any(one.project for one in seen.services)
        head = ("SERVICE", *several, "CLASS", "STATE", "HEALTH", "AGE", "PLANNED", "MEASURED", "GROWN")
        rows = [
            (
                readable(one.service),
                *(readable(untold(one.service, one.project or "-")) for _ in several),
                one.class_,
                one.state,
                "-" if one.health == "none" else one.health,
                "-" if one.age is None else age(one.age),
                *("-" if size is None else gb_text(size) for size in (one.planned, one.measured, _visible(one.grown))),
            )
            for one in seen.services
        ]
        yield columns([head, *rows], right=tuple(place + len(several) for place in (5, 6, 7)))
    else:
        yield "nothing of the lab runs"
    if seen.models:
        yield ""
        yield columns([("MODEL", "HOST", "STATE", "PLANNED", "TAKES", "CONTEXT"), *map(_model, seen.models)], right=(3, 4, 5))
    yield ""
    yield f"planned in all: {gb_text(seen.declared)} of {gb_text(seen.capacity)}"
    swapped = seen.memory.swap_used
    if swapped:
        yield f"{gb_text(swapped)} are swapped out"
    yield from (f"note: {note}" for note in seen.notes)
    if seen.disarmed:
        yield f"restarted by nothing until spark-mode starts it again: {', '.join(map(readable, seen.disarmed))}"
    yield from _now(seen)
    if seen.foreign:
        yield f"\nworkloads that others run, which count and are never touched: {', '.join(map(readable, seen.foreign))}"
    if seen.memory_users:
        yield "\nmemory that no workload declares:"
        yield columns(
            [(f"  {readable(one.name)}", readable(one.owner), gb_text(one.size)) for one in seen.memory_users], right=(2,)
        )
    if seen.others:
        yield "\nnot this lab's, and never touched:"
        yield columns(list(_others(seen)))


def _others(seen: Status) -> Iterator[tuple[str, ...]]:
    """Yield whose containers there are beside the lab's, a line for each project."""
    for project, names in list(seen.others.items())[:PROJECTS]:
        whose = f"project {readable(project)}" if project else "no project"
        yield f"  {whose}", few([*map(readable, names)], NAMES)
    if left := list(seen.others.values())[PROJECTS:]:
        yield f"  {len(left)} more", f"{sum(map(len, left))} containers"


def _visible(size: int | None) -> int | None:
    """Return a size that is not written as -0.0 GB."""
    return 0 if size is not None and abs(size) < LEAST else size


def _first(seen: Status) -> Iterator[str]:
    since = seconds_since(seen.since) if seen.since else None
    yield f"mode    {seen.mode}" + (f", for {age(since)}" if since is not None else "")
    yield f"memory  {_bar(seen)}"
    yield from (f"held    {readable(held)}" for held in seen.held)
    if seen.switching:
        yield f"now     {readable(seen.switching)}"
    yield from (f"runs    {readable(str(one.command))}" for one in seen.services if one.command)
    if seen.owed:
        yield "then    a command has ended: what ran before comes back with the next switch, or a guard; now: spark-mode recover"
    elif seen.awaited:
        ended = f"when the command has ended ({seen.awaited[0].how_to_stop} ends it)"
        yield f"then    {ended}, its run, a guard or the next switch brings back what ran before; else: spark-mode recover"
    elif seen.restores:
        yield "then    when training has ended, a guard or who waits for it brings back what ran before; else: spark-mode restore"
    if seen.interrupted:
        yield f"CUT OFF: {readable(seen.interrupted)}"
        yield "  → finish it or bring back what ran before: spark-mode recover"
    yield from (f"AGAINST THE RULES: {violation}" for violation in seen.violations)


def _model(one: ModelStatus) -> tuple[str, ...]:
    if one.loaded is None:
        state = "unknown: its host does not say"
    elif one.loaded:
        state = "loaded" if one.expected and one.planned is not None else "loaded, and not in rules.yaml"
    else:
        state = "budgeted, not loaded"
    sizes = ("-" if size is None else gb_text(size) for size in (one.planned, one.size))
    return readable(one.name), one.host, state, *sizes, "-" if one.context_length is None else str(one.context_length)


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
