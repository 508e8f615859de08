"""A budget as a careful person would write it on paper."""

from spark_mode.cli.tables import columns
from spark_mode.lab.rules import Rules
from spark_mode.lab.size import gb_text
from spark_mode.planning.budget import Budget


def budget_text(reckoned: Budget, rules: Rules, width: int | None = None) -> str:
    """Return the arithmetic, the three judgements and the reasons."""
    rows = []
    for one in reckoned.workloads:
        low, high = one.footprint.low / 10**9, one.footprint.high / 10**9
        spread = f"{one.class_}, {low:g} to {high:g} GB" if low != high else one.class_
        rows.append((f"  {one.label}", gb_text(one.footprint.planned), spread))
    classes = sorted({one.class_ for one in reckoned.workloads if one.class_})
    system, each = rules.overhead.system / 10**9, rules.overhead.per_class / 10**9
    said = f"{system:g} and {each:g} for each of: {', '.join(classes)}" if classes else f"{system:g}, of no class"
    rows.append(("+ overhead", gb_text(reckoned.overhead), said))
    rows.append(("= total", gb_text(reckoned.total), f"of {gb_text(reckoned.capacity)}"))
    rows.append(("  remaining", gb_text(reckoned.remaining), f"the headroom is {gb_text(rules.limits.headroom)}"))
    burst = f"{reckoned.burst_low / 10**9:g} to {reckoned.burst_high / 10**9:g} GB"
    lines = [
        columns(rows, right=(1,), width=width),
        f"\nnot counted: CUDA contexts and KV caches may take {burst} for moments",
        f"\nmemory    {reckoned.memory}",
        f"compute   {reckoned.compute}",
        f"decision  {reckoned.decision}",
    ]
    lines += [f"  {one.rule}: {one.because}" + (f"; {one.advice}" if one.advice else "") for one in reckoned.reasons]
    return "\n".join(lines)
