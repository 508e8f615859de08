"""Having a daemon outside Docker give back a model that a client had it load beside what excludes it."""

from spark_mode.lab.rules import Rules
from spark_mode.planning.observed import LoadedModel
from spark_mode.session.observe import Hosts

SECONDS = 30.0
"""How long it may take: one that is being loaded may have to come to the end of that first."""


def unload(hosts: Hosts, rules: Rules, model: LoadedModel) -> None:
    """Return when a model of a daemon is no longer listed. Raises HostFailed."""
    host = rules.hosts.get(model.host)
    if host and host.address:
        hosts(host.address).unload(model.model, SECONDS)
