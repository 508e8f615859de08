"""How a switch ended, in a sentence, and where what runs now is reached."""

from collections.abc import Iterator

from spark_mode.lab.few import agreeing
from spark_mode.lab.project import Project
from spark_mode.switching.report import Report

NAMELESS = ("custom", "unknown")
"""What a lab is called that is in none of its modes, or in nobody knows which."""
MOST = 6
"""Addresses that are shown; `status` has all."""


def summary(report: Report) -> str:
    """Return how it ended in a line, or in the lines that a recovery has to say."""
    if report.outcome == "unchanged":
        return f"nothing to do: {report.note}"
    took = f"({report.seconds:.1f} s)"
    if report.outcome == "recovered":
        now = "" if report.mode in NAMELESS else f"\nnow: {report.mode}"
        return f"{report.request} was recovered {took}: {report.note}{now}"
    beside = f" beside {', '.join(report.kept)}" if report.kept and not report.request.startswith("stop") else ""
    done = f"{_what_is_done(report)}{beside} {took}"
    return f"{done}; {report.note}" if report.note else done


def _what_is_done(report: Report) -> str:
    """Return what was asked for as it is now, which is true whatever else runs."""
    verb, *typed = report.request.replace(" --with ", " ").removesuffix(" --alone").split(" ")
    names = list(dict.fromkeys(typed))
    match verb:
        case "stop":
            return f"{', '.join(names)} {agreeing(names, 'is', 'are')} stopped" if names else "everything of the lab is stopped"
        case "restore" if report.mode == "idle":
            return "nothing runs, as before"
        case "restore":
            return "what ran before runs again" if report.mode in NAMELESS else f"{report.mode} runs again"
        case "up":
            return f"{', '.join(names)} {agreeing(names, 'runs', 'run')}"
        case _:
            return f"{report.request.replace(' --with ', ' with ', 1).replace(' --with ', ', ')} runs"


def addresses(report: Report, project: Project) -> Iterator[str]:
    """Yield where each service that was asked for is reached, a line each."""
    asked = (project.services.get(name) for name in report.target)
    found = [f"  → {one.name}: {one.address}" for one in asked if one and one.address]
    yield from found[:MOST]
    if left := len(found) - MOST:
        yield from [f"  → and {left} more: spark-mode status"] * (left > 0)
