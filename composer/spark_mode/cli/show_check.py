"""What `check` found, as people read it: what is wrong first, and how much that is last."""

from collections.abc import Sequence

from spark_mode.cli.for_sudo import for_sudo
from spark_mode.cli.tables import columns
from spark_mode.lab.few import counted
from spark_mode.readable import readable
from spark_mode.reporting.finding import Finding, Level

MARKS: dict[Level, str] = {"error": "ERROR   ", "warning": "warning ", "info": "info    ", "ok": "ok      "}
"""How each finding begins, the gravest first."""
OPTIONAL = "optional, and not in place:"


def check_text(findings: Sequence[Finding], width: int | None = None) -> str:
    """Return the findings, each with its fix below it, what could be had beside them, and a last line that counts them."""
    said = [_finding(one) for level in MARKS for one in findings if one.level == level]
    if more := [(f"  {one.where}", readable(one.message), f"→ {for_sudo(one.fix or '')}") for one in _of("optional", findings)]:
        said += [OPTIONAL, columns(more, width=width)]
    return "\n".join([*said, ", ".join(counted(len(_of(level, findings)), level) for level in ("error", "warning"))])


def _finding(one: Finding) -> str:
    fix = f"\n          → {one.fix}" if one.fix else ""
    return f"{MARKS[one.level]} {readable(one.where)}: {readable(one.message)}{fix}"


def _of(level: str, findings: Sequence[Finding]) -> list[Finding]:
    return [one for one in findings if one.level == level]
