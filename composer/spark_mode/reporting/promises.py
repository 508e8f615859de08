"""What rules.yaml promises and the machine or the Compose files do not hold: found before a start shows it."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from spark_mode.engine.resolved import resolved
from spark_mode.errors import SparkModeError
from spark_mode.init.flags import sizes_by_flag
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_of_project import classes_of_target
from spark_mode.lab.size import gb_text
from spark_mode.planning.budget import Budget
from spark_mode.planning.mode import mode_text
from spark_mode.planning.mode_target import class_fix
from spark_mode.planning.observed import Observed
from spark_mode.planning.planner import plan
from spark_mode.planning.request import to_mode
from spark_mode.planning.resolve import resolve
from spark_mode.reporting.finding import Finding
from spark_mode.session.session import Session

NEAR = 1.1
"""How far a flag may be above what is planned, as a ratio."""


def promises(session: Session, model: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Yield where flags take more than is planned, and which modes the memory does not allow even alone.

    `model` is Compose's own of the files, for whoever has asked for it already.
    """
    total = session.machine.memory().total
    for name, files in zip(session.project.names, session.files.each, strict=True) if total else ():
        with suppress(SparkModeError):  # what Compose says of the files was said when they were opened
            known = resolved(files, session.socket).model if model is None else model
            names = {service: session.project.lab_name(name, service) for service in known["services"]}
            yield from above_what_is_planned(session.rules, known, total or 0, names)
    yield from impossible_modes(session.project, session.rules, session.capacity)


def above_what_is_planned(
    rules: Rules, model: Mapping[str, Any], memory: int, names: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Finding]:
    """Yield the services whose own flag makes them take more than rules.yaml plans; `model` is Compose's, `memory` bytes.

    `names` are those that the lab has for the services of one of several projects.
    """
    for plain, size in sizes_by_flag(model, memory).items():
        service = names.get(plain, plain)
        workload = rules.of_service(service)
        if workload and size.planned > NEAR * workload.footprint.planned:
            taken, planned = gb_text(size.planned), gb_text(workload.footprint.planned)
            message = f"is planned with {planned}, and {service} takes {taken}: {size.evidence}"
            fix = f"plan what it takes, or lower --{size.flag}"
            yield Finding(level="warning", where=f"rules: workloads/{workload.name}", message=message, fix=fix)


def impossible_modes(project: Project, rules: Rules, capacity: int) -> Iterator[Finding]:
    """Yield the modes that are refused even where nothing else runs: by the files, by their own rules, for their memory.

    What is true of several profiles of a mode is told once.
    """
    yield from dict.fromkeys(_impossible_modes(project, rules, capacity))


def _impossible_modes(project: Project, rules: Rules, capacity: int) -> Iterator[Finding]:
    for name, mode in rules.modes.items():
        where = f"rules: modes/{name}"
        for profile in (one for one in mode.choices if one is None or one in project.profiles):
            request = to_mode(rules, name, profile)
            try:
                target = resolve(request, project, rules)
            except SparkModeError as error:
                yield Finding(level="error", where=where, message=error.message, fix=error.hint)
                continue
            found = classes_of_target(target.named, target.models, rules)
            if mode.class_ not in found:
                text = mode_text(rules, name, profile)
                message = f"nothing that {text} runs is of its class {mode.class_}, so no rule about that class will hold for it"
                yield Finding(level="warning", where=where, message=message, fix=class_fix(mode.class_, found))
            with suppress(SparkModeError):  # of its services, which are told one by one
                alone = plan(request, project, rules, Observed(complete=False), capacity)
                if alone.refusal and alone.refusal.memory:
                    message = f"{mode_text(rules, name, profile)} alone {_left(alone.budget, rules)}"
                    fix = "give it less: a lower flag, a smaller model or variant; or raise the limits"
                    yield Finding(level="warning", where=where, message=message, fix=fix)
                elif alone.refusal:
                    fix = "name other services for it, or correct the rule"
                    yield Finding(level="error", where=where, message=f"it never runs: {alone.refusal.message}", fix=fix)


def _left(reckoned: Budget, rules: Rules) -> str:
    if reckoned.remaining < 0:
        return f"comes to {gb_text(reckoned.total)}, more than the {gb_text(reckoned.capacity)} that there are"
    under = f", under the floor of {gb_text(rules.limits.floor)}" if reckoned.remaining < rules.limits.floor else ""
    return f"comes to {gb_text(reckoned.total)}: {gb_text(reckoned.remaining)} remain{under}"
