"""Which of the layers that hold the rule against others are on, and what each does not cover."""

import os
from collections.abc import Iterator
from pathlib import Path

from spark_mode import __version__
from spark_mode.enforcement.gate_file import NAME, without_gate
from spark_mode.enforcement.presence import running_guard
from spark_mode.enforcement.shared import comes_back
from spark_mode.enforcement.unit import is_installed, unit_name
from spark_mode.errors import SparkModeError
from spark_mode.reporting.finding import Finding
from spark_mode.session.session import Session
from spark_mode.sharing.directories import SET_UP

GATE_GAPS = "it does not see `up --no-deps`, `compose start`, `docker start` and restart policies"
AROUND_GATE = "but not where COMPOSE_FILE is exported or files are named with -f: Compose reads no .env then"
GUARD_GAPS = "it sees a start when it has happened: until the stop is done both run"


def layers(session: Session) -> list[Finding]:
    """Return a finding for each layer."""
    return [*_gate(session), *_guard(session), *_shared(session)]


def without_place(session: Session) -> Iterator[tuple[str, str]]:
    """Yield which of several projects can have no gate, and why."""
    for part, files in zip(session.project.parts, session.files.each, strict=False):
        if "" in part.unusable:
            yield part.name, "Compose cannot read it"
        elif not files.folder:
            yield part.name, "rules.yaml names its files, and a gate is named in the .env of a folder"


def _gate(session: Session) -> Iterator[Finding]:
    where, fix = "gate", "spark-mode gate install"
    left = dict(without_place(session))
    named = any(Path(file).name == NAME for file in session.files.all_compose)
    if not named and not _is_written(session):
        yield Finding(level="optional", where=where, message="plain `docker compose up` does not ask the rules", fix=fix)
    elif os.environ.get("COMPOSE_FILE") and not named:
        message = "COMPOSE_FILE is exported here and goes around it: plain `docker compose up` does not ask the rules"
        yield Finding(level="warning", where=where, message=message, fix="unset COMPOSE_FILE")
    elif not named:
        message = "it is written and not named in the lab's .env: plain `docker compose up` does not ask the rules"
        yield Finding(level="warning", where=where, message=message, fix=fix)
    elif missing := [name for name in without_gate(session.project) if session.project.part_of(name).name not in left]:
        yield Finding(level="warning", where=where, message=f"there is none before {', '.join(missing)}", fix=fix)
    else:
        yield Finding(level="ok", where=where, message=f"plain `docker compose up` asks first, {AROUND_GATE}; {GATE_GAPS}")
    for name, why in left.items() if named else ():
        yield Finding(level="warning", where=where, message=f"the project {name} has none: {why}", fix="name its folder")


def _is_written(session: Session) -> bool:
    """Whether a gate lies where one of the lab would, whatever Compose reads now."""
    folders = {Path(file).parent for file in (session.files.rules, *session.files.all_compose)}
    return any((folder / NAME).is_file() for folder in folders)


def _guard(session: Session) -> Iterator[Finding]:
    where, name = "guard", session.project.name
    try:
        runs = running_guard(session)
    except SparkModeError:
        return  # the engine's own finding says why
    if runs and runs.is_of_another_version:
        said = f"version {runs.version}" if runs.version else "an earlier version"
        anew = "sudo spark-mode check --fix" if runs.unit else f"kill {runs.process}, then: spark-mode guard"
        message = f"runs {said}, and this is version {__version__}: what has changed since holds once it runs anew"
        yield Finding(level="warning", where=where, message=message, fix=anew)
    elif runs:
        yield Finding(level="ok", where=where, message=f"runs; {GUARD_GAPS}")
    elif is_installed(name):
        message = "is installed and does not run: what others start is only seen by `status`"
        yield Finding(level="warning", where=where, message=message, fix=f"see why: systemctl status {unit_name(name)}")
    else:
        message = "what others start is only seen by `status`"
        yield Finding(level="optional", where=where, message=message, fix="sudo spark-mode guard install")


def _shared(session: Session) -> Iterator[Finding]:
    if session.directories.shared and not comes_back():
        message = f"{session.directories.locks} is gone after the next boot, and every command refuses then"
        yield Finding(level="warning", where="locks", message=message, fix=SET_UP)
