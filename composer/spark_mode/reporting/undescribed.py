"""Which services no switch starts because nobody says what they take: those that a mode needs, and those that none does."""

from collections.abc import Iterator

from spark_mode.lab.few import few
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.planning.mode import base_services, services_of
from spark_mode.planning.target import DESCRIBE_IT, is_described
from spark_mode.reporting.finding import Finding, Level

NAMED = 5


def undescribed(project: Project, rules: Rules) -> Iterator[Finding]:
    """Say it once of all that a mode needs, which never runs then, and once of the others: they are only asked for by name."""
    there = (one.name for one in project.services.values() if one.startable and not project.fault_of(one.name))
    unknown = [name for name in there if not is_described(name, project, rules)]
    needed = set(project.closure(_of_modes(project, rules)))
    if names := [name for name in unknown if name in needed]:
        gpu = "it asks for a GPU, and " if project.services[names[0]].reserves_gpu else ""
        one, many = f"{gpu}no workload describes it: a switch refuses it", "a switch refuses these, which no workload describes"
        yield _finding("error", names, one, many, DESCRIBE_IT)
    if names := [name for name in unknown if name not in needed]:
        one, many = "no mode needs it, and no workload describes it", "no mode needs these, and no workload describes them"
        yield _finding("info", names, one, many, f"to start what is there: {DESCRIBE_IT}")


def _finding(level: Level, names: list[str], one: str, many: str, fix: str) -> Finding:
    if len(names) == 1:
        return Finding(level=level, where=f"compose: {names[0]}", message=one, fix=fix)
    return Finding(level=level, where="compose", message=f"{many}: {few(names, NAMED)}", fix=fix)


def _of_modes(project: Project, rules: Rules) -> Iterator[str]:
    """Yield the services that modes name, and those that come along with every mode."""
    yield from base_services(project, rules)
    for mode in rules.modes.values():
        for profile in mode.choices:
            yield from services_of(mode, profile, project)
