"""Making room for a name, given or Compose's own: Docker creates no container while another one has it, stopped or not."""

from collections.abc import Iterable

from spark_mode.lab.by_nature import names_of
from spark_mode.lab.project import Project
from spark_mode.planning.container import Container
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Remove


def name_holders(services: Iterable[str], project: Project, observed: Observed) -> dict[str, Container]:
    """Return the container of another service of the project that has a name of each service to create, if one has it."""
    named = {one.name: one for one in observed.containers if one.service}
    found = {name: [named.get(other) for other in names_of(project.services[name], project)] for name in services}
    return {name: one for name, held in found.items() for one in held if one and one.service != name}


def why_never_again(service: str, project: Project) -> str | None:
    """Return why no container of a service can be created now, None where one can."""
    if service not in project.services:
        return project.fault_of(service) or "it is not in the Compose files"
    return project.fault_of(service) or (None if project.services[service].startable else "there is nothing of it to start")


def removals(holders: dict[str, Container]) -> list[Remove]:
    """Return the steps that remove what has the names of services to create."""
    return [
        Remove(
            service=one.service or "",
            container=one.id,
            subject=one.service or one.name,
            cause=f"{name} is to be created with its name, {one.name}",
        )
        for name, one in holders.items()
    ]
