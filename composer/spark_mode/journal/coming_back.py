"""What is to come back by itself when a training, or a command, has ended, and what requests meanwhile make of that."""

from collections.abc import Iterable

from spark_mode.journal.journal import JournalState
from spark_mode.journal.state import Before, still_to_come
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.planning.plan import Plan, Step, Stop
from spark_mode.planning.request import Request


def still_due(known: JournalState, rules: Rules, request: Request, steps: Iterable[Step]) -> bool:
    """Whether it is still to come back after a request: one that adds, or stops by name, and no training."""
    if not known.restores:
        return False
    stopped = (rules.of_service(step.service) for step in steps if isinstance(step, Stop) and step.service)
    if any(map(rules.runs_to_end, stopped)):
        return False
    return request.verb in ("up", "run") or bool(request.verb == "stop" and request.names)


def due_after(known: JournalState, rules: Rules, project: Project, request: Request, plan: Plan, was: Before) -> Before:
    """Return what `restore` brings back after a request: what ran before it, or what is to come back still.

    So it is after a restore that left something out which did not run: because of a request that comes next, or as it is of a
    project that Compose cannot read. What is left when a command, or a training after which something comes back, has ended is
    nothing to go back to: that was its middle.
    """
    former = known.state.before
    if former and request.verb == "restore":
        missing = {*former.services} - {*was.services}
        unread = missing - project.services.keys() if project.unread else set()
        return former if unread or missing - {*request.names} or _is_middle(known, rules, was) else was
    if former is None or not still_due(known, rules, request, plan.steps):
        return was
    kept = still_to_come(former, plan)
    if request.verb != "run":
        return kept
    services, models = (tuple(dict.fromkeys(names)) for names in (kept.services + was.services, kept.models + was.models))
    variants, projects = {**was.variants, **kept.variants}, {**was.projects, **kept.projects}
    return kept.model_copy(update={"services": services, "models": models, "variants": variants, "projects": projects})


def _is_middle(known: JournalState, rules: Rules, was: Before) -> bool:
    """Whether what a restore has found is only what was left beside a command, or a training, that has ended."""
    trains = any(rules.runs_to_end(rules.of_service(name)) for name in was.services)
    return known.state.of_command or (known.restores and not trains)


def with_end_said(known: JournalState, rules: Rules, request: Request, plan: Plan) -> Plan:
    """Return a plan that says where it is the end of what was to come back."""
    before, is_end = known.state.before, request.verb != "restore" and known.restores
    if not plan.steps or before is None or not is_end or still_due(known, rules, request, plan.steps):
        return plan
    note = f"what was to come back by itself does not after this: {', '.join((*before.services, *before.models))}"
    return plan.warned(note)
