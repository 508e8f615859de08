"""Model hosts that systemd runs, as services of the lab: planned, started, stopped and brought back as those of Compose are."""

from spark_mode.errors import ConfigurationError
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.service import Healthcheck, Service

GRACE_SECONDS = 90
"""How long systemd gives a unit to end before it kills it, where nobody says otherwise (DefaultTimeoutStopSec)."""
_PREFIX = "unit:"


def with_units(rules: Rules, project: Project) -> tuple[Rules, Project]:
    """Return rules and project in which each host with a unit is a service of its own name.

    Raises ConfigurationError where Compose has a service of that name.
    """
    if not rules.units:
        return rules, project
    if taken := next((name for name in rules.units.values() if name in project.services or project.namesakes(name)), None):
        message = f'hosts/{taken}: it has a unit, and "{taken}" is a service of the Compose files'
        raise ConfigurationError(message, "give the host another name, or take one of the two away")
    own = {name: rules.hosts[name].model_copy(update={"service": name}) for name in rules.units.values()}
    services = {
        name: Service(name=name, unit=unit, healthcheck=Healthcheck(), stop_grace_seconds=GRACE_SECONDS)
        for unit, name in rules.units.items()
    }
    return (
        rules.model_copy(update={"hosts": {**rules.hosts, **own}}),
        project.model_copy(update={"services": {**project.services, **services}}),
    )


def id_of_unit(unit: str) -> str:
    """Return what stands for a unit where containers have an id; no container's has a colon."""
    return f"{_PREFIX}{unit}"


def unit_of_id(id: str) -> str | None:
    """Return the unit that an id stands for, None for a container's."""
    return id.removeprefix(_PREFIX) if id.startswith(_PREFIX) else None
