"""Which lab is meant: flags, then the environment, then the working directory, then the lab that the user has set.

It imports nothing heavy, because the questions to Compose start as soon as the files are known.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from composer.errors import ConfigurationError
from composer.plain_file import read_plain

COMPOSE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
OVERRIDE_NAMES = ("compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml")
"""What Compose adds by itself, the first that is there, where no file is named (compose-go, cli/options.go)."""
RULES_NAME = "rules.yaml"


class Flags(NamedTuple):
    """The options of the command line that say which lab is meant."""

    files: tuple[str, ...] = ()
    project_directory: str | None = None
    project_name: str | None = None
    env_files: tuple[str, ...] = ()
    rules: str | None = None


class FoundFiles(NamedTuple):
    """The files of a lab, as absolute paths; the fields of `LabFiles`, which takes longer to import."""

    compose: tuple[str, ...]
    rules: str
    project_directory: str | None
    project_name: str | None
    env_files: tuple[str, ...]


def here() -> Path:
    """Return the working directory. Raises ConfigurationError when it was removed."""
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigurationError(f"the working directory is gone: {error.strerror}", "go to another one: cd") from None


def find_lab(flags: Flags, environment: Mapping[str, str], here: Path) -> FoundFiles:
    """Return the files of the lab. Raises ConfigurationError when there is none, or no rules file with it."""
    folder, compose = _compose_files(flags, environment, here)
    rules = flags.rules or environment.get("SPARK_MODE_RULES")
    named = None if flags.files else _from_env_file(folder / ".env", "COMPOSE_PROJECT_NAME")  # as Compose does
    return FoundFiles(
        compose=tuple(file if "://" in file else str(folder / file) for file in compose),
        rules=str(here / rules) if rules else _rules_beside(folder / compose[0], folder),
        project_directory=str(here / flags.project_directory) if flags.project_directory else None,
        project_name=flags.project_name or environment.get("COMPOSE_PROJECT_NAME") or named or None,
        env_files=tuple(str(here / file) for file in flags.env_files) or _own_env_file(folder, here),
    )


def _own_env_file(folder: Path, here: Path) -> tuple[str, ...]:
    """Return the `.env` of a lab that is used from elsewhere: Compose itself reads only that of the working directory."""
    return (str(folder / ".env"),) if folder != here and (folder / ".env").is_file() else ()


def find_rules(flags: Flags, environment: Mapping[str, str], here: Path) -> str:
    """Return the rules file alone, for what needs no Compose file. Raises ConfigurationError when there is none."""
    rules = flags.rules or environment.get("SPARK_MODE_RULES")
    return str(here / rules) if rules else find_lab(flags, environment, here).rules


def lab_setting(environment: Mapping[str, str]) -> Path:
    """Return the file in which the user's own lab is kept."""
    return Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "spark-mode" / "lab"


def _compose_files(flags: Flags, environment: Mapping[str, str], here: Path) -> tuple[Path, Sequence[str]]:
    if flags.files:
        return here, flags.files
    if set_files := environment.get("COMPOSE_FILE"):
        return here, _split(set_files, environment)
    if found := _in_folder(here, environment):
        return here, found
    folder = _set_folder(here, environment)
    if found := _in_folder(folder, environment):
        return folder, found
    setting = lab_setting(environment)
    raise ConfigurationError(f"the lab in {setting}, {folder}, has no Compose file with a {RULES_NAME}", "spark-mode lab PATH")


def _set_folder(here: Path, environment: Mapping[str, str]) -> Path:
    setting = lab_setting(environment)
    if not setting.is_file():
        raise ConfigurationError(
            f"no lab here: {here} has no Compose file with a {RULES_NAME}",
            "go to the lab's directory, name its files with -f, or set it once: spark-mode lab PATH",
        )
    try:
        return Path(read_plain(setting).decode().strip()).resolve(strict=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not a path"
        raise ConfigurationError(f"the lab that is set in {setting}: {reason}", "set it anew: spark-mode lab PATH") from None


def lab_folder(environment: Mapping[str, str], here: Path) -> Path:
    """Return the directory of the lab that is used without flags. Raises ConfigurationError when there is none."""
    return here if _in_folder(here, environment) else _set_folder(here, environment)


def _in_folder(folder: Path, environment: Mapping[str, str]) -> Sequence[str]:
    """Return the Compose files of a folder that is a lab: named in its `.env`, or under a usual name with its rules."""
    if in_env := _from_env_file(folder / ".env", "COMPOSE_FILE"):
        return _split(in_env, environment)
    named = [name for name in COMPOSE_NAMES if (folder / name).is_file()]
    overrides = [name for name in OVERRIDE_NAMES if (folder / name).is_file()]
    return [*named[:1], *overrides[:1]] if named and (folder / RULES_NAME).is_file() else ()


def _from_env_file(path: Path, variable: str) -> str | None:
    try:
        lines = read_plain(path).decode().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    values = (line.partition("=")[2].strip().strip("\"'") for line in lines if line.partition("=")[0].strip() == variable)
    return next(values, None)


def _split(files: str, environment: Mapping[str, str]) -> Sequence[str]:
    return [file for file in files.split(environment.get("COMPOSE_PATH_SEPARATOR") or os.pathsep) if file]


def _rules_beside(first: Path, here: Path) -> str:
    for folder in (first.parent, first.parent.parent, here):
        if (folder / RULES_NAME).is_file():
            return str(folder / RULES_NAME)
    raise ConfigurationError(f"no {RULES_NAME} beside {first}, in its parent or in {here}", "write one, or name it: --rules FILE")
