"""The Compose projects of a lab as one. Of several, one that Compose cannot read is unusable, and the others work."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from spark_mode.engine.compose_files import ComposeFiles
from spark_mode.errors import ConfigurationError, EngineUnavailable, SparkModeError
from spark_mode.lab.files import LabFiles
from spark_mode.lab.joined import joined
from spark_mode.lab.project import Project
from spark_mode.session.why_unread import why_unread

FindName = Callable[[LabFiles], str | None]
"""Finds the name of a project that Compose cannot tell; None where nobody knows it."""


class ReadProjects(NamedTuple):
    """What was read. `fault` is what is wrong with all of it, where that was allowed; it has names alone then."""

    project: Project
    compose_version: str = ""
    fault: SparkModeError | None = None


def _raised(fault: ConfigurationError) -> None:
    """Pass no fault over."""
    raise fault


def read_projects(
    sources: Sequence[ComposeFiles], name: FindName, is_needed: bool, forgive: Callable[[ConfigurationError], None] = _raised
) -> ReadProjects:
    """Read Compose's answers about all projects of a lab.

    Two of one name go to `forgive`: where it raises nothing the first has what runs, and the other one nothing.

    Raises ConfigurationError and EngineUnavailable where nothing can be read and it `is_needed`, or nobody knows its name.
    """
    parts: list[Project] = []
    faults: list[SparkModeError] = []
    for position, source in enumerate(sources):
        try:
            parts.append(source.read())
        except SparkModeError as fault:
            if is_needed and (len(sources) == 1 or isinstance(fault, EngineUnavailable)):
                raise
            faults.append(fault)
            parts.append(_alone(source, name, fault) if len(sources) == 1 else _unread(sources, position, name, fault))
    if twice := next((one for one, count in Counter(part.name for part in parts).items() if count > 1), None):
        message = f"{Path(sources[0].files.rules).name}: projects: two of them have the name {twice}"
        forgive(
            ConfigurationError(
                message, "give one of them another: name: NAME, in its Compose file or where rules.yaml names its files"
            )
        )
        parts = list(_told_apart(parts))
    if len(faults) < len(parts):
        return ReadProjects(joined(parts), next(one.version for one in sources if one.version))
    if is_needed:
        raise faults[0]
    return ReadProjects(joined(parts), fault=faults[0])


def _alone(source: ComposeFiles, name: FindName, fault: SparkModeError) -> Project:
    """Return the only project, which Compose cannot read, with its name; raise the fault where nobody knows that."""
    if (found := name(source.files)) is None:
        raise fault
    return Project(name=found)


def _unread(sources: Sequence[ComposeFiles], position: int, name: FindName, fault: SparkModeError) -> Project:
    """Return a project that Compose cannot read: with its last name, or that which Compose would give it, and the reason."""
    source = sources[position]
    found = source.files.project_name or source.last_name()
    if found is None:
        with suppress(EngineUnavailable):
            found = name(source.files)
    why = why_unread([one.files for one in sources], position, fault)
    return Project(name=found or _by_default(Path(source.files.compose[0]).parent.name), unusable={"": why})


def _by_default(folder: str) -> str:
    """Return the name that Compose gives a project in this folder where nothing else does (compose-go, loader)."""
    return re.sub(r"[^-_a-z0-9]", "", folder.lower()).lstrip("_-") or folder


def _told_apart(parts: Sequence[Project]) -> Iterator[Project]:
    """Yield projects, each that has an earlier one's name under one that Compose gives none, so that nothing runs of it."""
    names = [one.name for one in parts]
    for place, one in enumerate(parts):
        yield one if one.name not in names[:place] else one.model_copy(update={"name": f"projects/{place}"})
