"""Which services have no health check: neither in the Compose files nor in their images."""

from collections.abc import Iterator

from spark_mode.lab.few import few
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.service import Service
from spark_mode.reporting.finding import Finding

NAMED = 5


def without_own_check(project: Project, rules: Rules) -> Iterator[Service]:
    """Yield the services that should have one, and for which the files say nothing: their images may."""
    for name, service in project.services.items():
        ends = rules.runs_to_end(rules.of_service(name)) or name in project.awaited
        if service.startable and service.healthcheck is None and not ends and not project.fault_of(name):
            yield service


def unchecked(project: Project, rules: Rules, checked: frozenset[str] = frozenset()) -> Iterator[Finding]:
    """Say once of all that have none; `checked` are the images that have one of their own."""
    names = [one.name for one in without_own_check(project, rules) if one.image not in checked]
    if len(names) == 1:
        message = "no health check: it counts as ready once it keeps running"
        yield Finding(level="warning", where=f"compose: {names[0]}", message=message, fix="give it a healthcheck")
    elif names:
        message = f"no health check, so that they count as ready once they keep running: {few(names, NAMED)}"
        yield Finding(level="warning", where="compose", message=message, fix="give each a healthcheck")
