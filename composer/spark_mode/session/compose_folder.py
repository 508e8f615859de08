"""What plain Compose takes in a folder where nothing is named: its usual files, and what the `.env` there says."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from spark_mode.engine.env_files import SEPARATOR, compose_settings
from spark_mode.plain_file import is_file

COMPOSE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
OVERRIDE_NAMES = ("compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml")
"""What Compose adds by itself, the first that is there, where no file is named (compose-go, cli/options.go)."""


def usual_files(folder: Path) -> Sequence[str]:
    """Return the Compose files under their usual names, as Compose takes them where none is named."""
    usual = [name for name in COMPOSE_NAMES if is_file(folder / name)]
    overrides = [name for name in OVERRIDE_NAMES if is_file(folder / name)]
    return [*usual[:1], *overrides[:1]] if usual else ()


def split_files(files: str, environment: Mapping[str, str], settings: Mapping[str, str]) -> Sequence[str]:
    """Return the files of a COMPOSE_FILE, parted as the environment says, or else the settings that it was found in."""
    return [file for file in files.split(environment.get(SEPARATOR) or settings.get(SEPARATOR) or os.pathsep) if file]


def settings_of(folder: Path, named: Sequence[str]) -> dict[str, str]:
    """Return what these files of variables, or else the folder's `.env`, say of the project. Raises ConfigurationError."""
    return compose_settings([Path(file) for file in named] or [folder / ".env"])


def own_env_files(directory: Path, folder: Path) -> tuple[str, ...]:
    """Return what Compose reads where no file of variables is named; once the Compose files are named it must be told.

    It is the `.env` of the folder that Compose is called in, and the first Compose file's for what that one leaves open.
    """
    return tuple(str(file) for file in dict.fromkeys((directory / ".env", folder / ".env")) if is_file(file))
