"""The workload that a name means, or why none does."""

from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.lab.few import few
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.suggestion import suggest
from spark_mode.lab.workload import Workload

NAMED = 9
"""How many names are told to somebody who has named something else."""


def find_workload(rules: Rules, name: str, also: tuple[str, ...] = ()) -> Workload:
    """Return the workload of a name. Raises UsageFault, with the nearest of the known names and of `also`."""
    if workload := rules.find(name):
        return workload
    base, _, variant = name.rpartition(":")
    if (known := rules.find(base)) and known.variants:
        raise UsageFault(f'unknown variant "{variant}" of {base}; there are {", ".join(known.variants)}')
    known_names = [*rules.workloads, *(alias for one in rules.workloads.values() for alias in one.aliases), *also]
    shown = tuple(dict.fromkeys((*rules.workloads, *also)))
    whole = "; all of them: spark-mode rules" if len(shown) > NAMED + 1 else ""
    raise UsageFault(f'unknown name "{name}"{suggest(name, known_names)}', f"there are {few(shown, NAMED)}{whole}")


def require_read(project: Project, name: str, said: str) -> None:
    """Raise ConfigurationError where Compose cannot read one of several projects that may have what has this name."""
    if unread := project.unread_with(name):
        hint = (
            "correct that, or, where it is of no project there, name its own under projects in rules.yaml; the others can be used"
        )
        raise ConfigurationError(f"{said}, which no other project has, and {unread}", hint)


def require_one(service: str, project: Project) -> None:
    """Raise UsageFault for the name of which several projects have a service, with how to write each."""
    if service not in project.services and (meant := project.namesakes(service)):
        raise UsageFault(f'several projects have a service "{service}"', f"name one of them: {', '.join(meant)}")


def _require_no_project(name: str, project: Project) -> None:
    """Raise UsageFault for the name of one of several projects, with what there is of it."""
    if (
        project.parts
        and name in project.names
        and (there := [one.name for one in project.services.values() if one.project == name])
    ):
        raise UsageFault(
            f'"{name}" is a Compose project, and not asked for as one', f"name what is meant of it: {few(there, NAMED)}"
        )


def find_named(name: str, project: Project, rules: Rules, also: tuple[str, ...]) -> Workload:
    """Return the workload of a name, as `find_workload` does, and with how to write the service of one of several projects."""
    if rules.find(name) is None:
        require_one(name, project)
        _require_no_project(name, project)
        require_read(project, name, f'nothing is known of "{name}"')
    return find_workload(rules, name, also)
