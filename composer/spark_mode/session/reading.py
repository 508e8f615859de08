"""What was read of a lab's files, as a value: it is taken over whole or not at all."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from spark_mode.errors import ConfigurationError, SparkModeError
from spark_mode.lab.by_nature import with_nature
from spark_mode.lab.no_rules import NO_RULES
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_of_project import with_project
from spark_mode.lab.units import with_units
from spark_mode.session.compose_projects import FindName, read_projects
from spark_mode.session.prefetch import PendingAnswers
from spark_mode.session.rules_file import read_rules_file, text_of


class Reading(NamedTuple):
    """A lab as its files say it is, and the digests (SHA-256 by file) of what was read.

    `fault` is what is wrong with the Compose files, where that was allowed; the project has a name alone then.
    """

    rules: Rules
    project: Project
    compose_version: str
    fault: SparkModeError | None
    inputs: dict[str, str]


def read_lab(
    rules: str,
    asked: PendingAnswers,
    name: FindName,
    need_project: bool,
    forgive: Callable[[ConfigurationError], None],
) -> Reading:
    """Read the rules, what Compose answers about the files that it was asked about, and what each adds to the other.

    `name` finds the name of a project that Compose cannot read. What is wrong with the rules, be it only beside the projects that
    they are for, goes to `forgive`, which raises it unless a lab is in hand without them. Raises ConfigurationError and
    EngineUnavailable; for Compose files of which nothing can be used only where `need_project` says so.
    """
    read = dict(asked.inputs)

    def text(path: Path) -> str:
        found = text_of(path)
        read[str(path)] = sha256(found.encode()).hexdigest()
        return found

    known = NO_RULES
    try:
        known = read_rules_file(rules, text)
    except ConfigurationError as error:
        forgive(error)
    project, version, fault = read_projects(asked.compose, name, need_project, forgive)
    if fault is None and known is not NO_RULES:
        known = with_project(known, project)
    try:
        known, project = with_units(with_nature(known, project), project)
    except ConfigurationError as error:
        forgive(ConfigurationError(f"{Path(rules).name}: {error.message}", error.hint))
        known = with_nature(NO_RULES, project)
    return Reading(known, project, version, fault, read)
