"""The memory budget of a set of workloads, and whether the set should run: what a careful person works out on paper."""

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Literal

from spark_mode.frozen import Frozen
from spark_mode.lab.rules import Alternate, Careful, Rules
from spark_mode.lab.size import gb, gb_text
from spark_mode.lab.workload import Workload
from spark_mode.planning.conflicts import conflicts, member

Verdict = Literal["fits-easily", "fits", "tight", "oom-risk", "does-not-fit"]
Compute = Literal["yes", "careful", "no"]
Decision = Literal["yes", "one-at-a-time", "no", "unknown"]


OF_MEMORY = frozenset({"capacity", "limits/tight", "limits/headroom"})
"""What reasons name in the place of a rule where the sizes alone decide."""
BUDGET_KEYS = (
    *("workloads", "overhead_gb", "total_gb", "remaining_gb", "capacity_gb", "burst_gb", "burst_low_gb"),
    *("memory", "compute", "decision", "reasons"),
)
"""The keys of a budget's JSON form."""


class Reason(Frozen):
    """Why the budget judges as it does: the rule or limit, and its words."""

    rule: str
    because: str
    advice: str | None = None


class Budget(Frozen):
    """The arithmetic of a set, in bytes, and the three judgements: memory, compute and the decision.

    The decision is `unknown` where nothing forbids the set, and one of it cannot be started by what the Compose files say.
    """

    workloads: tuple[Workload, ...]
    overhead: int
    total: int
    remaining: int
    capacity: int
    burst_low: int
    burst_high: int
    memory: Verdict
    compute: Compute
    decision: Decision
    reasons: tuple[Reason, ...]

    def unless_unknown(self, why: str | None) -> "Budget":
        """Return it undecided where there is a reason for that; what is forbidden stays so."""
        if why is None or self.decision == "no":
            return self
        reasons = (*self.reasons, Reason(rule="compose", because=why))
        return self.model_copy(update={"decision": "unknown", "reasons": reasons})

    def as_json(self) -> dict[str, object]:
        """Return the stable JSON form; sizes in GB."""
        return {
            "workloads": [
                {
                    "name": workload.label,
                    "class": workload.class_,
                    "planned_gb": gb(workload.footprint.planned),
                    "low_gb": gb(workload.footprint.low),
                    "high_gb": gb(workload.footprint.high),
                }
                for workload in self.workloads
            ],
            "overhead_gb": gb(self.overhead),
            "total_gb": gb(self.total),
            "remaining_gb": gb(self.remaining),
            "capacity_gb": gb(self.capacity),
            "burst_gb": gb(self.burst_high),
            "burst_low_gb": gb(self.burst_low),
            "memory": self.memory,
            "compute": self.compute,
            "decision": self.decision,
            "reasons": [reason.model_dump(exclude_none=True) for reason in self.reasons],
        }


def budget(workloads: Iterable[Workload], rules: Rules, capacity: int) -> Budget:
    """Return the budget of exactly this set on a machine with `capacity` bytes.

    The limits hold for the total, overhead included: stricter than the working reference, deliberately.
    """
    chosen = tuple(sorted(workloads, key=lambda workload: (rules.position(workload.name), workload.name)))
    classes = {workload.class_ for workload in chosen} & set(rules.classes)
    taken = overhead(chosen, rules)
    total = taken + sum(workload.footprint.planned for workload in chosen)
    memory = memory_verdict(total, rules, capacity)
    reasons = [*_memory_reasons(total, memory, rules, capacity), *_compute_reasons(chosen, rules)]
    compute, alternates = _compute(chosen, rules)
    refused = memory in ("oom-risk", "does-not-fit") or _excluded(chosen, rules)
    decision: Decision = "no" if refused else "one-at-a-time" if alternates else "yes"
    caches = [workload for workload in chosen if workload.class_ in classes and rules.classes[workload.class_].kv_cache]
    context, cache = rules.overhead.burst.cuda_context, rules.overhead.burst.kv_cache
    return Budget(
        workloads=chosen,
        overhead=taken,
        total=total,
        remaining=capacity - total,
        capacity=capacity,
        burst_low=context.low * len(chosen) + cache.low * len(caches),
        burst_high=context.high * len(chosen) + cache.high * len(caches),
        memory=memory,
        compute=compute,
        decision=decision,
        reasons=tuple(reasons),
    )


def overhead(workloads: Iterable[Workload], rules: Rules) -> int:
    """Return what the system takes beside a set, in bytes: once, and for each class in it."""
    classes = {workload.class_ for workload in workloads} & set(rules.classes)
    return rules.overhead.system + rules.overhead.per_class * len(classes)


def memory_verdict(total: int, rules: Rules, capacity: int) -> Verdict:
    """Judge a total of bytes, overhead included. Each limit belongs to the better side: 80.0 GB `fits`, 80.1 does not."""
    limits = rules.limits
    if total > capacity:
        return "does-not-fit"
    if capacity - total < limits.headroom or total > limits.tight:
        return "oom-risk"
    if total > limits.fits:
        return "tight"
    return "fits" if total > limits.fits_easily else "fits-easily"


def _memory_reasons(total: int, memory: Verdict, rules: Rules, capacity: int) -> Iterator[Reason]:
    headroom, tight = rules.limits.headroom, rules.limits.tight
    if memory == "does-not-fit":
        yield Reason(rule="capacity", because=f"{gb_text(total)} are more than the {gb_text(capacity)} that there are")
    elif memory == "oom-risk" and total > tight:
        yield Reason(rule="limits/tight", because=f"{gb_text(total)} are more than the {gb_text(tight)} that are safe")
    elif memory == "oom-risk":
        left = gb_text(capacity - total)
        yield Reason(rule="limits/headroom", because=f"{left} would remain, less than the {gb_text(headroom)} of headroom")


def _excluded(chosen: tuple[Workload, ...], rules: Rules) -> bool:
    return any(True for _ in conflicts(rules, (member(rules, workload.name) for workload in chosen)))


def _compute(chosen: tuple[Workload, ...], rules: Rules) -> tuple[Compute, bool]:
    alternates = any(_alternating(rule, chosen) for rule in rules.rules if isinstance(rule, Alternate))
    if alternates or _excluded(chosen, rules):
        return "no", alternates
    careful = any(_side_by_side(rule, chosen) for rule in rules.rules if isinstance(rule, Careful))
    return ("careful" if careful else "yes"), False


def _compute_reasons(chosen: tuple[Workload, ...], rules: Rules) -> Iterator[Reason]:
    broken = {conflict.rule.name for conflict in conflicts(rules, (member(rules, one.name) for one in chosen))}
    for rule in rules.rules:
        applies = (
            rule.name in broken
            or (isinstance(rule, Alternate) and _alternating(rule, chosen))
            or (isinstance(rule, Careful) and _side_by_side(rule, chosen))
        )
        if applies:
            yield Reason(rule=rule.name, because=rule.because, advice=rule.advice)


def _alternating(rule: Alternate, chosen: tuple[Workload, ...]) -> bool:
    members = set(rule.alternate)
    return sum(bool(members & {workload.name, workload.class_}) for workload in chosen) > 1


def _side_by_side(rule: Careful, chosen: tuple[Workload, ...]) -> bool:
    members = set(rule.careful)
    sides = [members & {workload.name, workload.class_} for workload in chosen]
    return any(x != y for one, other in combinations(sides, 2) for x in one for y in other)
