"""Which of the layers that hold the rule against others are on, and what each does not cover."""

from collections.abc import Iterator
from pathlib import Path

from composer.enforcement.gate_file import NAME, without_gate
from composer.enforcement.presence import guard_runs
from composer.errors import SparkModeError
from composer.switching.finding import Finding
from composer.switching.session import Session

GATE_GAPS = "it does not see `up --no-deps`, `compose start`, `docker start` and restart policies"
GUARD_GAPS = "it sees a start when it has happened: until the stop is done both run"


def layers(session: Session) -> list[Finding]:
    """Return a finding for each layer."""
    return [*_gate(session), *_guard(session)]


def _gate(session: Session) -> Iterator[Finding]:
    where, fix = "gate", "spark-mode gate install"
    if not any(Path(file).name == NAME for file in session.files.compose):
        yield Finding(level="warning", where=where, message="plain `docker compose up` does not ask the rules", fix=fix)
    elif missing := without_gate(session.project):
        yield Finding(level="warning", where=where, message=f"there is none before {', '.join(missing)}", fix=fix)
    else:
        yield Finding(level="ok", where=where, message=f"plain `docker compose up` asks first; {GATE_GAPS}")


def _guard(session: Session) -> Iterator[Finding]:
    where, fix = "guard", "sudo spark-mode guard install, or in the foreground: spark-mode guard"
    try:
        runs = guard_runs(session)
    except SparkModeError:
        return  # the engine's own finding says why
    if runs:
        yield Finding(level="ok", where=where, message=f"runs; {GUARD_GAPS}")
    else:
        yield Finding(level="warning", where=where, message="does not run: what others start is only seen by `status`", fix=fix)
