"""The gate as a Compose file beside the lab's own, and the lab's `.env` that names it.

Every service of the lab gets a gate of its own, because Compose does not tell a provider which profiles are active. A
missing provider fails every `up`, so the gate is there only where it was installed.
"""

import json
import os
import sys
from pathlib import Path

from composer.errors import ConfigurationError
from composer.lab.files import LabFiles
from composer.lab.project import Project

NAME = "spark-mode.gate.yaml"
MARK = "# Written by: spark-mode gate install. Do not edit: the next install writes it anew."
PREFIX = "spark-mode-gate-"
_VARIABLE = "COMPOSE_FILE"


def gate_of(service: str) -> str:
    """Return the name of a service's gate."""
    return f"{PREFIX}{service}"


def gate_text(project: Project, lab: Path, rules: str, program: Path) -> str:
    """Return the Compose file that puts a gate, which judges by these rules, before each service of the lab."""
    services: dict[str, object] = {}
    for name, service in project.services.items():
        if service.provider:
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


def gate_program() -> Path:
    """Return the program that Compose runs, beside this Python. Raises ConfigurationError when it is not installed."""
    program = Path(sys.executable).with_name("spark-mode-gate")
    if not os.access(program, os.X_OK):
        raise ConfigurationError(f"{program} is missing", "install spark-mode with pip, pipx or uv")
    return program


def install(project: Project, lab: Path, files: LabFiles) -> Path:
    """Write the gate beside a lab's `.env` and name it there. Raises ConfigurationError; then nothing has changed."""
    path = lab / NAME
    _require_ours(path)
    text, own = gate_text(project, lab, files.rules, gate_program()), _env_text(lab)
    named = _named(own) or [os.path.relpath(file, lab) for file in files.compose]
    _write(path, text)
    _write(lab / ".env", _with_files(own, [*(one for one in named if one != NAME), NAME]))
    return path


def uninstall(lab: Path) -> bool:
    """Take the gate out of a lab again; return whether it was there. Raises ConfigurationError."""
    path, own = lab / NAME, _env_text(lab)
    _require_ours(path)
    named = _named(own)
    there = NAME in named or path.exists()
    if NAME in named:
        _write(lab / ".env", _with_files(own, [one for one in named if one != NAME]))
    path.unlink(missing_ok=True)
    return there


def is_installed(lab: Path) -> bool:
    """Whether a lab's `.env` names its gate."""
    return NAME in _named(_env_text(lab))


def without_gate(project: Project) -> tuple[str, ...]:
    """Return the services that have no gate before them."""
    return tuple(
        name for name, service in project.services.items() if not service.provider and gate_of(name) not in service.depends_on
    )


def _env_text(lab: Path) -> str:
    try:
        return (lab / ".env").read_text()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{lab / '.env'}: {error}", "the gate is named there") from None


def _is_setting(line: str) -> bool:
    return line.partition("=")[0].strip() == _VARIABLE and "=" in line


def _named(text: str) -> list[str]:
    """Return the Compose files that a `.env` names."""
    values = [line.partition("=")[2].strip().strip("\"'") for line in text.splitlines() if _is_setting(line)]
    return values[-1].split(os.pathsep) if values and values[-1] else []


def _with_files(text: str, files: list[str]) -> str:
    """Return a `.env` that names these Compose files, and is otherwise the same."""
    setting = f"{_VARIABLE}={os.pathsep.join(files)}"
    lines = [setting if _is_setting(line) else line for line in text.splitlines()]
    return "\n".join(lines if setting in lines else [*lines, setting]) + "\n"


def _require_ours(path: Path) -> None:
    if path.is_symlink() or (path.exists() and not path.read_text(errors="replace").startswith(MARK)):
        raise ConfigurationError(f"{path} is not from spark-mode, and stays as it is", "move it away first")


def _write(path: Path, text: str) -> None:
    """Put a file in place at once, with the mode and the owner that it had."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.write_text(text)
        if path.exists():
            seen = path.stat()
            new.chmod(seen.st_mode & 0o777)
            os.chown(new, seen.st_uid, seen.st_gid)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise ConfigurationError(f"{path}: {error.strerror}", "the lab's folder must be writable for this") from None
