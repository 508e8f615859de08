"""What was measured, as a table, and as lines to copy into rules.yaml."""

from collections.abc import Sequence

from composer.cli.tables import columns
from composer.lab.size import gb_text
from composer.switching.measurements import Footprints

STEP = 10**7
"""Sizes for rules.yaml are rounded up to so many bytes."""


def calibration_text(seen: Sequence[Footprints]) -> str:
    """Return the table and the lines."""
    if not seen:
        return "nothing is measured yet: every start of a switch is"
    head = ("WORKLOAD", "DECLARED", "MEDIAN", "LOW", "HIGH", "PEAK", "STARTS", "SEEN")
    rows = [
        (
            one.workload,
            *(_mb(size) for size in (one.declared, one.median, one.low, one.high, one.peak)),
            str(one.count),
            f"{one.since[:10]} to {one.until[:10]}" + ("  far from what is declared" if one.is_far else ""),
        )
        for one in seen
    ]
    lines = [columns([head, *rows], right=(1, 2, 3, 4, 5, 6)), "", "for rules.yaml, under the workload or its variant:"]
    lines += [f"  {one.workload}: {{{_footprint(one)}}}" for one in seen]
    return "\n".join(lines)


def _footprint(one: Footprints) -> str:
    return f"footprint: {{planned: {_up(one.median)}, low: {_up(one.low)}, high: {_up(max(one.high, one.peak))}}}"


def _mb(size: int) -> str:
    return gb_text(size) if size >= 10**10 else f"{size / 10**9:.2f} GB"


def _up(size: int) -> str:
    return f"{-(-size // STEP) * STEP / 10**9:g}GB"
