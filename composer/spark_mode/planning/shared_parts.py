"""Services that share a namespace or the volumes of another one: their container names one container of that service.

Compose writes the other container's id into theirs, and into its hash with that, so nobody knows the hash before. What shares
with a service that is made anew is made anew with it. What joins its network, processes or memory also starts again when it does:
what it had joined ended with the first process.
"""

from collections.abc import Collection

from spark_mode.lab.project import Project
from spark_mode.planning.observed import Observed


def parted_from(name: str, project: Project, observed: Observed, anew: Collection[str] = ()) -> str | None:
    """Return the service with which a service's container does not share what is there: it is gone, another, or made `anew`."""
    container = observed.container_of(name)
    for owner in project.services[name].shares if container and container.shares else ():
        theirs = observed.container_of(owner)
        if container and (theirs is None or owner in anew or theirs.id not in container.shares):
            return owner
    return None


def adrift(name: str, project: Project, observed: Observed, starting: Collection[str], anew: Collection[str]) -> str | None:
    """Return why a service that runs has to start again: for want of what it shares with another one; None where it need not."""
    container = observed.container_of(name)
    if container is None or not container.active:
        return None
    if owner := parted_from(name, project, observed, anew):
        return f"it shares with {owner}, which is made anew" if owner in anew else f"it shares with a former container of {owner}"
    joined = next((owner for owner in project.services[name].joins if owner in starting), None)
    return f"it shares with {joined}, which starts again" if joined else None
