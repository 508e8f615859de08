"""A queue on one screen: its jobs, its machines as both see them, and where these differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from spark_mode.cli.tables import columns
from spark_mode.fleet.slurm import QueuedJob, QueueNode
from spark_mode.readable import readable


def queue_text(
    jobs: Sequence[QueuedJob],
    nodes: Sequence[QueueNode],
    statuses: Mapping[str, Mapping[str, Any] | None],
    differences: Sequence[tuple[str, str]],
    width: int | None = None,
) -> str:
    """Return the screen."""
    head = ("JOB", "NAME", "USER", "STATE", "WHERE")
    rows = [(one.id, readable(one.name), readable(one.user), one.state.lower(), _where(one)) for one in jobs]
    lines = [columns([head, *rows], width=width)] if rows else ["no job waits or runs"]
    seen = [(one.name, _slurm(one), *_own(statuses.get(one.name))) for one in nodes]
    lines += ["", columns([("NODE", "SLURM", "MODE", "HELD"), *seen], width=width)]
    lines += [""] * bool(differences)
    for message, hint in differences:
        lines += [readable(message), f"  → {readable(hint)}"]
    return "\n".join(lines)


def _where(one: QueuedJob) -> str:
    return ",".join(one.nodes) or ("-" if one.reason in ("", "None") else one.reason)


def _slurm(one: QueueNode) -> str:
    said = "+".join(one.states).lower()
    return f"{said} ({readable(one.reason)})" if one.reason else said


def _own(status: Mapping[str, Any] | None) -> tuple[str, str]:
    if status is None:
        return "unknown", "-"
    held = [str(one.get("job")).partition(":")[0] for one in status.get("jobs") or ()]
    return readable(str(status.get("mode"))), f"by job {', '.join(held)}" if held else "-"
