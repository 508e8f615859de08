"""The screen that people look at most."""

from collections.abc import Iterator, Sequence

from spark_mode.cli.tables import columns
from spark_mode.lab.few import few
from spark_mode.lab.joined import untold
from spark_mode.lab.size import GB, gb_text
from spark_mode.planning.mode import mode_said
from spark_mode.readable import readable
from spark_mode.reporting.status_model import ModelStatus, ServiceStatus, Status
from spark_mode.wall_time import age, seconds_since

LONGEST_BAR, SHORTEST_BAR = 40, 10
PROJECTS, NAMES = 5, 5
"""How many projects of others are named, and containers of each."""
LEAST = 5 * 10**7
"""Bytes that are shown as anything but 0.0 GB."""
SIZES, SPARE = ("PLANNED", "MEASURED", "GROWN"), ("GROWN", "MEASURED", "CLASS", "PLANNED")
"""The columns that are flush right, and those that a narrow terminal does without, the first ones first."""


def status_text(seen: Status, width: int | None = None) -> str:
    """Return the status for people, for a terminal of this width: most important first."""
    return "\n".join(_lines(seen, width))


def _lines(seen: Status, width: int | None) -> Iterator[str]:
    yield from _first(seen, width)
    yield ""
    yield _services(seen.services, width) if seen.services else "nothing of the lab runs"
    if seen.models:
        yield ""
        head = ("MODEL", "HOST", "STATE", "PLANNED", "TAKES", "CONTEXT")
        yield columns([head, *map(_model, seen.models)], right=(3, 4, 5), width=width, spare=(5, 4))
    if seen.notes or seen.disarmed:
        yield ""
    yield from (f"note: {note}" for note in seen.notes)
    yield from _after_a_reboot(seen)
    yield from _now(seen, width)
    if seen.foreign:
        yield f"\nworkloads that others run, which count and are never touched: {', '.join(map(readable, seen.foreign))}"
    if seen.memory_users:
        yield "\nmemory that no workload declares:"
        users = [(f"  {readable(one.name)}", readable(one.owner), gb_text(one.size)) for one in seen.memory_users]
        yield columns(users, right=(2,), width=width)
    if seen.others:
        yield "\nnot this lab's, and never touched:"
        yield columns(list(_others(seen)), width=width)


def _services(services: Sequence[ServiceStatus], width: int | None) -> str:
    """Return the table of services; the address where one has such a thing, the project where a name does not tell it."""
    said = {
        "SERVICE": [readable(one.service) for one in services],
        "PROJECT": [readable(one.project or "-") for one in services],
        "CLASS": [one.class_ for one in services],
        "STATE": [one.state for one in services],
        "HEALTH": ["-" if one.health == "none" else one.health for one in services],
        "AGE": ["-" if one.age is None else age(one.age) for one in services],
        "PLANNED": [_size(one.planned) for one in services],
        "MEASURED": [_size(one.measured) for one in services],
        "GROWN": [_size(_visible(one.grown)) for one in services],
        "ADDRESS": [one.address or "-" for one in services],
    }
    absent = {
        "PROJECT": not any(untold(one.service, one.project) for one in services),
        "ADDRESS": not any(one.address for one in services),
    }
    shown = [name for name in said if not absent.get(name)]
    rows = [shown, *zip(*(said[name] for name in shown), strict=True)]
    places = {name: place for place, name in enumerate(shown)}
    return columns(rows, right=[places[name] for name in SIZES], width=width, spare=[places[name] for name in SPARE])


def _size(size: int | None) -> str:
    return "-" if size is None else gb_text(size)


def _after_a_reboot(seen: Status) -> Iterator[str]:
    """Say what the engine does not start again by itself: what was stopped, rightly, and what others have started, wrongly."""
    for name, fix in seen.unlasting.items():
        yield f"note: {readable(name)} runs, and would not come back after a reboot\n  → {readable(fix)}"
    stopped = [one for one in map(readable, seen.disarmed) if one.rpartition(" (")[0] not in seen.unlasting]
    if stopped:
        names = ", ".join(one.rpartition(" (")[0] for one in stopped)
        yield f"after a reboot stopped, as now, until you switch to {'it' if len(stopped) == 1 else 'them'}: {names}"


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


def _first(seen: Status, width: int | None) -> Iterator[str]:
    since = seconds_since(seen.since) if seen.since and seen.mode != "custom" else None
    yield f"mode    {_mode(seen)}" + (f", for {age(since)}" if since is not None else "")
    yield f"memory  {_memory(seen, width)}"
    if seen.gpu.is_known:
        yield f"gpu     {seen.gpu}"
    yield f"planned {gb_text(seen.declared)} of the {gb_text(seen.capacity)} that rules.yaml reckons with"
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
    yield from _violations(seen)


def _violations(seen: Status) -> Iterator[str]:
    """Yield what breaks a rule, each reason once, and what ends it."""
    told: set[str] = set()
    for place, violation in enumerate(seen.violations):
        who, _, because = violation.partition(" (")
        yield f"AGAINST THE RULES: {who if because in told else violation}"
        told.add(because)
        yield from (f"  → {remedy}" for remedy in seen.remedies[place : place + 1] if remedy)


def _mode(seen: Status) -> str:
    """Return the mode; of what is none of the modes of rules.yaml what it is made of."""
    if seen.mode != "custom":
        return seen.mode
    names = [readable(one.service) for one in seen.services if one.age is not None]
    return f"{mode_said(seen.mode)}: {few(names, NAMES)}" if names else mode_said(seen.mode)


def _model(one: ModelStatus) -> tuple[str, ...]:
    if one.loaded is None:
        state = "unknown: its host does not say"
    elif one.loaded:
        state = "loaded" if one.expected and one.planned is not None else "loaded, and not in rules.yaml"
    else:
        state = "room is kept, not loaded"
    sizes = map(_size, (one.planned, one.size))
    return readable(one.name), one.host, state, *sizes, "-" if one.context_length is None else str(one.context_length)


def _now(seen: Status, width: int | None) -> Iterator[str]:
    """Say what another mode would cost; those that cost the same share a line."""
    costs: dict[str, list[str]] = {}
    for one in seen.changes:
        cost = f"refused: {one.refused}" if one.refused else f"stops {', '.join(one.stops)}" if one.stops else "stops nothing"
        costs.setdefault(cost, []).append(one.request)
    if costs:
        yield "\nanother mode now, such as spark-mode " + seen.changes[0].request + ":"
        yield columns([(f"  {', '.join(requests)}", cost) for cost, requests in costs.items()], width=width)


def _memory(seen: Status, width: int | None) -> str:
    """Return what is used of the machine's memory, with as much of a bar as there is room for."""
    total, available = seen.memory.total, seen.memory.available
    if total is None or available is None:
        return "unknown"
    said = f"{gb_text(total - available)} used, {available / GB:.1f} of {gb_text(total)} available"
    swap = f"; {gb_text(seen.memory.swap_used)} are swapped out" if seen.memory.swap_used else ""
    size = LONGEST_BAR if width is None else min(LONGEST_BAR, width - len(f"memory  [] {said}"))
    if size < SHORTEST_BAR:
        return said + swap
    used = round(size * (total - available) / total)
    return f"[{'#' * used}{'.' * (size - used)}] {said}{swap}"
