"""Who has to go when others have started what the rules keep apart: the same rules as for a plan, and a policy."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.planning.conflicts import Member
from spark_mode.planning.container import LEASED
from spark_mode.planning.mode import loaded_outside, violations
from spark_mode.planning.observed import LoadedModel, Observed
from spark_mode.planning.steps import in_stop_order

TOGETHER_SECONDS = 10.0
"""What started within so many seconds of each other started together, as after a boot: there is no newcomer."""


class Victim(NamedTuple):
    """What has to go, and the rule: a service with its containers, or the `models` that a daemon outside Docker has to unload.

    With neither it can only be warned of.
    """

    service: str
    containers: tuple[str, ...]
    rule: str
    cause: str
    models: tuple[LoadedModel, ...] = ()

    @property
    def can_go(self) -> bool:
        """Whether there is anything to stop, or to have unloaded."""
        return bool(self.containers or self.models)


class _Side(NamedTuple):
    """One of the two that a rule keeps apart; `started` is in seconds since the epoch, the latest of its containers."""

    name: str
    containers: tuple[str, ...]
    models: tuple[LoadedModel, ...]
    spared: bool
    held: bool
    meant: bool
    kept: bool
    priority: int
    started: float


def conflict_victims(
    observed: Observed, project: Project, rules: Rules, kept: tuple[str, ...], meant: tuple[str, ...] = ()
) -> tuple[Victim, ...]:
    """Return what has to stop so that no rule is broken, in the order of stops.

    `kept` is what the last switch left, and stays in doubt; `meant` is what the present request is to have active: but for what
    is spared or held, it is the other side that goes.

    Under `newcomer` it is what started later, under `lower-priority` what has the lower priority. What the rules spare,
    training unless they say otherwise, and what is held, goes only against its like; what is not the lab's never does. A model
    of a daemon goes before all else that may: its client can have it loaded again.
    """
    found: dict[str, Victim] = {}
    left = observed
    while more := {name: one for name, one in _clashing(left, rules, kept, meant).items() if name not in found}:
        found |= more  # who stays may clash in turn: one goes at a time
        left = _without(found, observed)
    order = in_stop_order(found, project, rules, observed)
    return tuple(found[name] for name in order)


def _without(gone: Collection[str], observed: Observed) -> Observed:
    containers = tuple(one for one in observed.containers if one.service not in gone)
    loaded = {
        host: None if models is None else tuple(one for one in models if (one.workload or host) not in gone)
        for host, models in observed.loaded.items()
    }
    return observed.model_copy(update={"containers": containers, "loaded": loaded})


def _clashing(observed: Observed, rules: Rules, kept: tuple[str, ...], meant: tuple[str, ...]) -> dict[str, Victim]:
    """Return who goes of those that a rule names, unless one of them goes already."""
    found: dict[str, Victim] = {}
    for conflict in violations(observed, rules):
        sides = [_side(each, observed, rules, kept, meant) for each in conflict.sides]
        if any(side.name in found for side in sides):
            continue
        victim = _victim(sides, rules)
        staying = [side.name for side in sides if side is not victim]
        cause = f"{' and '.join(staying)} {'run' if len(staying) > 1 else 'runs'}, and {conflict.rule.because}"
        found[victim.name] = Victim(victim.name, victim.containers, conflict.rule.name, cause, victim.models)
    return found


def _victim(sides: Sequence[_Side], rules: Rules) -> _Side:
    """Return the one that goes: what can be stopped or unloaded and is not spared before all else."""
    movable = [side for side in sides if (side.containers or side.models) and not side.spared]
    started = [side.started for side in sides]
    together = max(started) - min(started) < TOGETHER_SECONDS

    def claim(side: _Side) -> tuple[object, ...]:
        """Order sides by how good their claim to stay is."""
        youth = 0.0 if together else -side.started
        policy = (side.priority, youth) if rules.guard.on_violation == "lower-priority" else (youth, side.kept, side.priority)
        stays = side.kept or not side.models
        return (side.spared, side.held, side.meant, stays, *policy, side.kept, side.name)

    return min(movable or sides, key=claim)


def _side(one: Member, observed: Observed, rules: Rules, kept: tuple[str, ...], meant: tuple[str, ...]) -> _Side:
    mine = [container for container in observed.active if container.service == one.name and container.state != LEASED]
    return _Side(
        name=one.name,
        containers=tuple(container.id for container in mine),
        models=loaded_outside(observed, rules).get(one.name, ()),
        spared=any(label in rules.spared for label in one.labels),
        held=observed.hold_of(one.name) is not None,
        meant=one.name in meant,
        kept=one.name in kept,
        priority=max(_priorities(one, observed, rules), default=0),
        started=max((container.started_seconds for container in mine), default=0.0),
    )


def _priorities(one: Member, observed: Observed, rules: Rules) -> Iterator[int]:
    """Yield the priority of a workload, or those of the models that a host has."""
    if one.workload:
        yield rules.workloads[one.workload].priority
    yield from (rules.workloads[name].priority for name in one.serves if name in observed.models)
