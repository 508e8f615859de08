"""What `check` found, as people read it: what is wrong first, and how much that is last."""

from collections.abc import Sequence

from spark_mode.readable import readable
from spark_mode.reporting.finding import Finding, Level

MARKS: dict[Level, str] = {"error": "ERROR   ", "warning": "warning ", "info": "info    ", "ok": "ok      "}
"""How each finding begins, the gravest first."""


def check_text(findings: Sequence[Finding]) -> str:
    """Return the findings, each with its fix below it, and a last line that counts them."""
    said = [_finding(one) for level in MARKS for one in findings if one.level == level]
    return "\n".join([*said, f"{_count('error', findings)}, {_count('warning', findings)}"])


def _finding(one: Finding) -> str:
    fix = f"\n          → {one.fix}" if one.fix else ""
    return f"{MARKS[one.level]} {readable(one.where)}: {readable(one.message)}{fix}"


def _count(level: Level, findings: Sequence[Finding]) -> str:
    count = sum(one.level == level for one in findings)
    return f"{count or 'no'} {level}{'s' * (count != 1)}"
