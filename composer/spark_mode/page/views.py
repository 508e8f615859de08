"""What the pages beside the first one show: each opens the lab for itself, in a thread, and returns what its template needs."""

from collections.abc import Sequence
from typing import Any

from spark_mode.errors import SparkModeError, UsageFault
from spark_mode.journal.journal import JournalFailed, journal_state
from spark_mode.lab.size import gb_text
from spark_mode.page.asked import AskedSwitch, names_of_sets
from spark_mode.page.page_lab import PageLab
from spark_mode.page.states import cause_and_log
from spark_mode.page.steps import StepRow, step_rows
from spark_mode.planning.budget import budget as reckon
from spark_mode.planning.container import Container
from spark_mode.planning.observed import running_workload
from spark_mode.planning.together import named_workloads, of_profile_too, why_unknown
from spark_mode.reporting.history import Event, history
from spark_mode.reporting.resources import resources
from spark_mode.reporting.status import status
from spark_mode.session.session import Session

LINES, LONGEST_LINE = 200, 2000
ENDED_WELL = ("applied", "recovered", "unchanged")


def budget(lab: PageLab, names: Sequence[str]) -> dict[str, Any]:
    """Return the arithmetic of exactly these workloads, as `budget` has it. Raises UsageFault, ConfigurationError."""
    session = lab.open()
    rules, project = session.rules, session.project
    found: dict[str, Any] = {"workloads": names_of_sets(rules), "headroom": rules.limits.headroom, "reckoned": None}
    if names:
        named = named_workloads(names, rules, project)
        reckoned = reckon(named, rules, session.capacity).unless_unknown(why_unknown(named, rules, project))
        notes = tuple(of_profile_too(names, rules, project))
        found |= {"reckoned": reckoned, "notes": notes, "query": AskedSwitch("up", tuple(names)).query}
    return found


def service(lab: PageLab, name: str, with_log: bool) -> dict[str, Any]:
    """Return what is known of a service, and the end of its log. Raises UsageFault for one that is not there."""
    session = lab.open()
    observed = session.observe()
    there = sorted(observed.containers, key=lambda one: not one.active)
    container = next((one for one in there if name in _names(one, session)), None)
    if container is None:
        raise UsageFault(f"{name} has no container here", "see what there is: go to the first page")
    facts = [*_facts(container), *_figures(name, container, session)]
    lines, why = _log(container, session) if with_log else (None, "")
    runs = container.active and bool(container.service) and not container.one_off
    stop = AskedSwitch("stop", (container.service or name,)).query
    return {"facts": facts, "lines": lines, "why": why, "runs": runs, "stop": stop, "most": LINES}


def _names(one: Container, session: Session) -> set[str]:
    workload = running_workload(session.rules, one.service or "", one.variant)
    return {one.name, *({one.service or one.name, workload.label if workload else one.name} if not one.one_off else ())}


def _facts(one: Container) -> list[tuple[str, str]]:
    code = [("exit code", str(one.exit_code))] if not one.active and one.state == "exited" else []
    health = [] if one.health == "none" else [("health", one.health)]
    killed = [("killed", "by the kernel, for want of memory")] if one.oom_killed else []
    restarts = [("restarted", f"{one.restart_count} times")] if one.restart_count else []
    return [("container", one.name), ("state", one.state), *health, *code, *killed, *restarts, ("started", one.started_at or "-")]


def _figures(name: str, container: Container, session: Session) -> list[tuple[str, str]]:
    seen = next((one for one in status(session).services if one.service == name), None) if container.active else None
    if seen is None:
        return []
    sizes = {"planned": seen.planned, "measured": seen.measured, "grown since": seen.grown}
    figures = [(key, gb_text(size)) for key, size in sizes.items() if size is not None]
    return [("class", seen.class_), *figures, *([("address", seen.address)] if seen.address else [])]


def _log(container: Container, session: Session) -> tuple[tuple[str, ...] | None, str]:
    try:
        return tuple(line[:LONGEST_LINE] for line in session.docker.last_lines(container.id, LINES)), ""
    except SparkModeError as error:
        return None, error.message


def past(lab: PageLab) -> tuple[Event, ...]:
    """Return the whole history. Raises as `history` does."""
    return tuple(history(lab.open()))


def event(lab: PageLab, switch: str) -> dict[str, Any]:
    """Return how a request ended, with its steps as long as the journal has them. Raises UsageFault for one that is not there."""
    session = lab.open()
    found = next((one for one in reversed(history(session)) if one.switch == switch), None)
    if found is None:
        raise UsageFault("the history has no such request, or no longer", "see what it has: spark-mode history")
    cause, log = cause_and_log(found)
    return {"event": found, "cause": cause, "log": log, "rows": _steps(session, found)}


def _steps(session: Session, event: Event) -> tuple[StepRow, ...]:
    try:
        records = [one for one in session.journal.records() if one.get("switch") == event.switch and one.get("kind") != "ended"]
    except JournalFailed:
        return ()
    known = journal_state(records).unfinished
    last = "done" if event.outcome in ENDED_WELL else "failed"
    return (
        tuple(one.model_copy(update={"mark": last}) if one.mark == "running" else one for one in step_rows(known))
        if known
        else ()
    )


def card(lab: PageLab) -> dict[str, Any]:
    """Return the map. Raises ConfigurationError."""
    seen = resources(lab.open())
    return {"seen": seen, "total": seen.overhead + sum(one.planned for one in seen.running)}


def status_json(lab: PageLab) -> dict[str, object]:
    """Return what `status --format json` prints. Raises SparkModeError where it could not be seen."""
    return status(lab.open()).as_json()
