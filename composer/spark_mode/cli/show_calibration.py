"""What was measured, as a table, and as lines to copy into rules.yaml."""

from collections.abc import Sequence

from spark_mode.cli.tables import columns
from spark_mode.journal.measurements import Footprints
from spark_mode.lab.size import gb_text
from spark_mode.reporting.local_time import day_of

STEP = 10**7
"""Sizes for rules.yaml are rounded up to so many bytes."""


def calibration_text(seen: Sequence[Footprints], width: int | None = None) -> str:
    """Return the table, the lines, and what keeps a workload from having one."""
    if not seen:
        return "nothing is measured yet: every start of a switch is"
    head = ("WORKLOAD", "DECLARED", "MEDIAN", "LOW", "HIGH", "PEAK", "STARTS", "SEEN")
    rows = [
        (
            one.workload,
            *(_mb(size) for size in (one.declared, one.median, one.low, one.high, one.peak)),
            str(one.count),
            _days(one),
        )
        for one in seen
    ]
    lines = [columns([head, *rows], right=(1, 2, 3, 4, 5, 6), width=width, spare=(5, 3, 4))]
    lines += [f"{one.workload} is far from what is declared" for one in seen if one.is_far]
    if proposed := [f"  {one.workload}: {{{_footprint(one)}}}" for one in seen if one.agrees]:
        which = "planned is the median, high the highest peak"
        lines += ["", f"for rules.yaml, under the workload or its variant; {which}:", *proposed]
        lines.append("  → have them put there: spark-mode calibrate --write")
    if lacking := [f"  {one.workload}: {lack(one)}" for one in seen if not one.agrees]:
        lines += ["", "no line yet, for want of two starts that agree:", *lacking]
    if disturbed := [f"{one.workload} {one.disturbed}" for one in seen if one.disturbed]:
        lines += ["", f"starts that do not count, because others' memory moved meanwhile: {', '.join(disturbed)}"]
    lines += ["", "What others take for a moment, or unseen by the kernel and the GPU's list, counts as the workload's own."]
    return "\n".join(lines)


def lack(one: Footprints) -> str:
    """Return why what was seen of a workload is no line for rules.yaml yet."""
    if one.count > 1:
        return f"its {one.count} starts differ, from {_mb(one.low)} to {_mb(one.high)}: switch to it again"
    return f"{'1 start is little' if one.count else 'no start counts yet'}: switch to it again"


def _footprint(one: Footprints) -> str:
    planned, low, high = figures_of(one)
    if planned == low == high:
        return f"footprint: {planned}"
    return f"footprint: {{planned: {planned}, low: {low}, high: {high}}}"


def _days(one: Footprints) -> str:
    """Return the day on which it was seen, or the first and the last one."""
    first, last = (day_of(stamp) for stamp in (one.since, one.until))
    return first if first == last else f"{first} to {last}"


def figures_of(one: Footprints) -> tuple[str, str, str]:
    """Return what to plan for a workload, the least and the most of it, as rules.yaml has sizes."""
    return _up(one.median), _up(one.low), _up(max(one.high, one.peak))


def _mb(size: int) -> str:
    return gb_text(size) if size >= 10**10 else f"{size / 10**9:.2f} GB"


def _up(size: int) -> str:
    return f"{-(-size // STEP) * STEP / 10**9:g}GB"
