"""Where a workload alone is above the limits: what its flag would have to be, or what the limits would."""

from collections.abc import Mapping, Sequence
from math import floor
from typing import NamedTuple

from spark_mode.init.propose import Proposal, ProposedWorkload
from spark_mode.init.survey import Survey
from spark_mode.init.tables import BESIDE_FRACTION, MEM_FRACTION, SUPPORT
from spark_mode.lab.rules import WITHOUT_GPU, Rules
from spark_mode.lab.size import GB, gb_text


class Above(NamedTuple):
    """A workload that is refused even alone: what it and all that comes along comes to, the limit, and the ways out, in words."""

    name: str
    total: int
    limit: int
    ways: str


def above_the_limits(seen: Survey, proposal: Proposal, rules: Rules) -> tuple[Above, ...]:
    """Return what is refused even alone, by the limits that hold."""
    return tuple(found for one in proposal.workloads if (found := _above(seen, one, rules)))


def raised(above: Sequence[Above], rules: Rules, memory: int) -> Mapping[str, int]:
    """Return the limits, in bytes by key, with which all of these are admitted alone; none where the floor is in the way."""
    total = -(-max((one.total for one in above), default=0) // GB) * GB
    if not above or memory - total <= rules.limits.floor:
        return {}
    headroom = {} if memory - total >= rules.limits.headroom else {"headroom": (memory - total) // GB * GB}
    return {"tight": max(total, rules.limits.tight)} | headroom


def advice(above: Sequence[Above]) -> list[str]:
    """Return a line for those for which the same helps."""
    by_way: dict[str, list[Above]] = {}
    for one in above:
        by_way.setdefault(one.ways, []).append(one)
    return [f"{_who(several)} {gb_text(several[0].limit)}: {ways}" for ways, several in by_way.items()]


def _who(several: Sequence[Above]) -> str:
    first = several[0]
    if len(several) == 1:
        return f"{first.name} alone comes to {gb_text(first.total)}, of"
    return f"{first.name} and {len(several) - 1} more, each alone, come to up to {gb_text(max(one.total for one in several))}, of"


def _above(seen: Survey, one: ProposedWorkload, rules: Rules) -> Above | None:
    helpers = seen.helpers(seen.mates(one.host or one.name)) * WITHOUT_GPU.planned
    total = one.size.planned * seen.count(one.name) + seen.room.per_class + rules.overhead.system + helpers
    limit = seen.room.allowed + rules.overhead.system
    if total <= limit or not one.known or one.class_ == SUPPORT:
        return None
    ways = []
    if one.size.flag:
        beside = BESIDE_FRACTION if one.size.flag == MEM_FRACTION else 0
        less = (total - limit) / seen.count(one.name)
        share = max(0, floor(100 * (one.size.planned - beside - less) / seen.room.memory)) / 100
        ways.append(f"lower its --{one.size.flag} to {share:g}")
    if limits := raised((Above(one.name, total, limit, ""),), rules, seen.room.memory):
        ways.append(f"write limits: {{{', '.join(f'{key}: {size / GB:.0f}GB' for key, size in limits.items())}}}")
    else:
        left = max(0, seen.room.memory - total)
        ways.append(
            f"live with limits of {gb_text(total)}, which leave {gb_text(left)}: the floor is {gb_text(rules.limits.floor)}"
        )
    return Above(one.name, total, limit, ", or ".join(ways))
