"""Several machines on one screen."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from spark_mode.cli.tables import columns
from spark_mode.fleet.requesting import End
from spark_mode.fleet.said import as_list, as_number, as_object, as_text
from spark_mode.fleet.together import DROPPED, STAYS, WENT_BACK
from spark_mode.lab.few import few
from spark_mode.readable import readable
from spark_mode.wall_time import age, seconds_since

NAMES = 4
INDENT = 2
"""By how much an answer is moved to the right, under the name of its machine."""
UNKNOWN = "unknown"


class Row(NamedTuple):
    """A machine in the table: `notes` are what somebody has to know or do, a line each."""

    node: str
    mode: str
    since: str = "-"
    memory: str = "-"
    services: str = "-"
    notes: tuple[str, ...] = ()


def row_of(node: str, seen: Mapping[str, Any] | None, why_not: str) -> Row:
    """Return the row of a machine by its `status`; of one that does not say, why."""
    if seen is None or not (mode := as_text(seen.get("mode"))):
        return Row(node, UNKNOWN, notes=(why_not.removeprefix(f"{UNKNOWN}: ") or "it answers something that is no status",))
    memory = as_object(seen.get("memory"))
    since = seconds_since(as_text(seen.get("since")))
    free, total = as_number(memory.get("available_gb")), as_number(memory.get("total_gb"))
    names = [readable(as_text(as_object(one).get("service"))) for one in as_list(seen.get("services"))]
    notes = [f"AGAINST THE RULES: {as_text(one)}" for one in as_list(seen.get("violations"))]
    notes += [f"CUT OFF: {cut_off}"] if (cut_off := as_text(seen.get("interrupted"))) else []
    notes += [switching] if (switching := as_text(seen.get("switching"))) else []
    notes += [f"held: {as_text(one)}" for one in as_list(seen.get("held"))]
    return Row(
        node,
        readable(mode),
        "-" if since is None else age(since),
        "-" if free is None or total is None else f"{free:.1f} of {total:.1f} GB",
        few(names, NAMES) if names else "-",
        tuple(map(readable, notes)),
    )


def rows_text(rows: Sequence[Row], width: int | None = None) -> str:
    """Return the table of machines, a line each, and under it what somebody has to know of some."""
    head = ("NODE", "MODE", "SINCE", "FREE", "SERVICES")
    table = columns([head, *((one.node, one.mode, one.since, one.memory, one.services) for one in rows)], width=width, spare=(2,))
    notes = [f"{one.node}: {note}" for one in rows for note in one.notes]
    return "\n".join([table, *notes])


def answers_text(answers: Mapping[str, tuple[str, str]]) -> str:
    """Return what each machine has answered, under its name; where it did not, why."""
    parts = []
    for node, (out, why_not) in answers.items():
        said = "\n".join(filter(None, (out.rstrip("\n"), why_not)))
        parts.append("\n".join([f"{node}:", *(f"{' ' * INDENT}{line}" for line in said.splitlines())]))
    return "\n\n".join(parts)


def switch_text(request: str, ends: Sequence[End], nodes: Sequence[str]) -> str:
    """Return how a switch of several machines ended: a line for each, and what that makes of the whole."""
    return "\n".join([*_lines(ends), _whole(request, ends, nodes)])


def stop_text(request: str, ends: Sequence[End]) -> str:
    """Return how a stop ended, which each machine does by itself."""
    names = {
        "done on": [one.node for one in ends if one.is_done],
        "not done on": [one.node for one in ends if one.state == "ended" and not one.is_done],
        "unknown on": [one.node for one in ends if one.state == "lost"],
    }
    return "\n".join([*_lines(ends), f"{request}: {'; '.join(f'{how} {few(on, NAMES)}' for how, on in names.items() if on)}"])


def _lines(ends: Sequence[End]) -> Iterator[str]:
    for one in ends:
        yield f"{one.node}: {readable(_said(one))}"
        if one.hint:
            yield f"  → {readable(one.hint)}"


def _said(end: End) -> str:
    if end.state == "lost":
        return f"UNKNOWN: {end.message}"
    if end.outcome == DROPPED:
        return "would have; it has let go"
    if end.outcome in (WENT_BACK, STAYS):
        return end.message
    if end.is_done:
        return f"{end.mode or 'done'}{f'; {end.message}' if end.message else ''}"
    return end.message or f"failed, with exit code {end.code}"


def _whole(request: str, ends: Sequence[End], nodes: Sequence[str]) -> str:
    if len(ends) == len(nodes) and all(one.is_done for one in ends):
        return f"{request}: done on {few(nodes, NAMES) if len(nodes) > 1 else nodes[0]}"
    if lost := [one.node for one in ends if one.state == "lost"]:
        begun = any(one.outcome in (WENT_BACK, STAYS) or one.is_done for one in ends)
        rest = "the others went back" if begun else "nothing was started on the others"
        return f"{request}: not done; what became of it on {', '.join(lost)} is unknown, {rest}"
    stays = any(one.outcome == STAYS for one in ends)
    return f"{request}: {'done on some of them alone' if stays else 'not done on any machine'}"
