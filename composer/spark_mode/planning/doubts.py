"""Model hosts of which nobody can say whether they run: systemd does not know their unit, and nobody listens at their address."""

from collections.abc import Iterator

from spark_mode.lab.rules import Rules
from spark_mode.planning.observed import Observed


def doubts(observed: Observed, rules: Rules) -> Iterator[str]:
    """Yield what is not known, and as what it counts."""
    for one in observed.containers:
        if one.doubt and (host := rules.hosts.get(one.service or "")):
            yield (
                f"whether {one.service} runs is not known: systemd says nothing of {one.name}, and nobody listens at "
                f"{host.address}; it counts as stopped (why: spark-mode check)"
            )
