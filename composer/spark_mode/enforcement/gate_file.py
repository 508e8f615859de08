"""The gate as a Compose file beside the lab's own, the program that it names, and the lab's `.env` that names it.

Every service of the lab gets a gate of its own, because Compose does not tell a provider which profiles are active. A
missing provider fails every `up`, so the gate is there only where it was installed.
"""

import json
import os
import re
import shlex
from pathlib import Path
from tempfile import NamedTemporaryFile

from spark_mode.enforcement.own_file import put, remove, require_ours
from spark_mode.engine.env_files import FILE, SEPARATOR, compose_settings
from spark_mode.errors import ConfigurationError
from spark_mode.lab.files import LabFiles
from spark_mode.lab.project import GATE, Project
from spark_mode.own_command import own_command

NAME = "spark-mode.gate.yaml"
PROGRAM = "spark-mode.gate.sh"
MARK = "# Written by: spark-mode gate install. Do not edit: the next install writes it anew."
SCRIPT = """#!/bin/sh
{mark}
exec {command} "$@"
"""
NAMED = "# The next line is from spark-mode gate install, and goes with the gate unless it names more than: "
PREFIX = GATE
FIX = "the lab's folder must be writable for this"
_SETTING = re.compile(rf"\s*(?:export\s+)?{FILE}\s*[=:]")


def gate_of(service: str) -> str:
    """Return the name of a service's gate."""
    return f"{PREFIX}{service}"


def gate_text(project: Project, lab: Path, rules: str, program: Path) -> str:
    """Return the Compose file that puts a gate, which judges by these rules, before each service of the lab."""
    services: dict[str, object] = {}
    for name, service in project.services.items():
        if not service.of_compose:
            continue
        gate = gate_of(name)
        services[name] = {"depends_on": {gate: {"condition": "service_started"}}}
        options = {"lab": str(lab), "rules": rules, "service": name}
        provider = {"type": _plain(program), "options": {key: _plain(value) for key, value in options.items()}}
        services[gate] = {"provider": provider} | ({"profiles": list(service.profiles)} if service.profiles else {})
    return f"{MARK}\nservices:\n" + "".join(f"  {json.dumps(name)}: {json.dumps(one)}\n" for name, one in services.items())


def _plain(text: object) -> str:
    """Return a text that Compose takes as it is: a dollar sign begins a variable for it."""
    return str(text).replace("$", "$$")


def install(project: Project, lab: Path, files: LabFiles) -> Path:
    """Write the gate beside a lab's `.env` and name it there. Raises ConfigurationError; then Compose asks as it did before."""
    path, program = lab / NAME, lab / PROGRAM
    for one in (path, program):
        require_ours(one, MARK)
    text = gate_text(project, lab, files.rules, program)
    named = _named(lab) or [os.path.relpath(file, lab) for file in files.compose]
    env = _with_files(lab, [*(one for one in named if one != NAME), NAME])
    put(program, SCRIPT.format(mark=MARK, command=shlex.join(own_command("spark_mode.enforcement.gate"))), 0o755, FIX)
    put(path, text, 0o644, FIX)
    put(lab / ".env", env, 0o644, FIX)
    return path


def uninstall(lab: Path) -> bool:
    """Take the gate out of a lab again, whose `.env` is as it was then; say whether it was there. Raises ConfigurationError."""
    for one in (lab / NAME, lab / PROGRAM):
        require_ours(one, MARK)
    named = _named(lab)
    if NAME in named:
        _unname(lab, [one for one in named if one != NAME])
    removed = [remove(lab / one, MARK, FIX) for one in (NAME, PROGRAM)]
    return any(removed) or NAME in named


def without_gate(project: Project) -> tuple[str, ...]:
    """Return the services that have no gate before them."""
    return tuple(
        project.lab_name(part.name, name)
        for part in project.parts or (project,)
        for name, service in part.services.items()
        if service.of_compose and gate_of(name) not in service.depends_on
    )


def _env_text(lab: Path) -> str:
    try:
        return (lab / ".env").read_text()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{lab / '.env'}: {error}", "the gate is named there") from None


def _named(lab: Path) -> list[str]:
    """Return the Compose files that a lab's `.env` names, as Compose reads it. Raises ConfigurationError."""
    found = compose_settings([lab / ".env"])
    return [file for file in found.get(FILE, "").split(found.get(SEPARATOR, os.pathsep)) if file]


def _unname(lab: Path, left: list[str]) -> None:
    """Take what the gate added out of a lab's `.env`; a setting that others made or changed names what is left."""
    lines, separator = _env_text(lab).splitlines(), compose_settings([lab / ".env"]).get(SEPARATOR, os.pathsep)
    mark = f"{NAMED}{separator.join(left)}"
    place = lines.index(mark) if mark in lines else len(lines)
    if not any(map(_SETTING.match, lines[place + 1 : place + 2])):
        put(lab / ".env", _with_files(lab, left), 0o644, FIX)
    elif own := [*lines[:place], *lines[place + 2 :]]:
        put(lab / ".env", "\n".join(own) + "\n", 0o644, FIX)
    else:
        remove(lab / ".env", NAMED, FIX)


def _with_files(lab: Path, files: list[str]) -> str:
    """Return a lab's `.env` with these Compose files named, and otherwise the same.

    Raises ConfigurationError where Compose would not read them there.
    """
    lines, separator = _env_text(lab).splitlines(), compose_settings([lab / ".env"]).get(SEPARATOR, os.pathsep)
    setting = f"{FILE}={separator.join(files)}"
    if NAME not in files:
        lines = [line for line in lines if not line.startswith(NAMED)]
    there = [place for place, line in enumerate(lines) if _SETTING.match(line)]
    if there and _named(lab):
        lines[there[-1]] = setting  # the last one counts
    else:
        lines += [f"{NAMED}{separator.join(one for one in files if one != NAME)}", setting]
    text = "\n".join(lines) + "\n"
    with NamedTemporaryFile("w", encoding="utf-8") as trial:
        trial.write(text)
        trial.flush()
        if compose_settings([Path(trial.name)]).get(FILE) != separator.join(files):
            fix = "set COMPOSE_FILE there once, on a line of its own"
            raise ConfigurationError(f"{lab / '.env'}: Compose would not read {setting} there", fix)
    return text
