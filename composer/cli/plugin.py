"""`spark-mode plugin`: `docker spark …` does what `spark-mode …` does."""

import os
import shlex
import sys
from pathlib import Path

import click

from composer.cli.context import Globals, output_options
from composer.errors import ConfigurationError

SYSTEM = Path("/usr/local/lib/docker/cli-plugins")
MARK = "Installed by: spark-mode plugin install"
SCRIPT = """#!/bin/sh
# Docker calls this as `docker spark …`. {mark}
exec {python} -m composer.cli "$@"
"""

system_option = click.option("--system", is_flag=True, help="For all users of this machine; needs root.")


@click.group()
def plugin() -> None:
    """Install spark-mode as a Docker command."""


@plugin.command(short_help="Have `docker spark` be spark-mode")
@system_option
@output_options
@click.pass_obj
def install(known: Globals, system: bool) -> None:
    """Put the plugin where Docker looks for it, so that `docker spark` works."""
    path = plugin_path(system)
    _require_ours(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".docker-spark.{os.getpid()}")
        new.write_text(SCRIPT.format(mark=MARK, python=shlex.quote(sys.executable)))
        new.chmod(0o755)
        new.replace(path)
    except OSError as error:
        raise _not_writable(path, error, system) from None
    known.show({"plugin": str(path)}, lambda: f"{path} is in place: docker spark status")


@plugin.command(short_help="Take the plugin away again")
@system_option
@output_options
@click.pass_obj
def uninstall(known: Globals, system: bool) -> None:
    """Take the plugin away again."""
    path = plugin_path(system)
    there = path.is_symlink() or path.exists()
    _require_ours(path)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _not_writable(path, error, system) from None
    known.show({"plugin": None}, lambda: f"{path} {'is removed' if there else 'was not there'}")


def plugin_path(system: bool) -> Path:
    """Return where the plugin lies: for all users, or for the one who asks."""
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins"
    return (SYSTEM if system else own) / "docker-spark"


def _require_ours(path: Path) -> None:
    """Raise ConfigurationError when something else lies there."""
    if not path.is_symlink() and not path.exists():
        return
    try:
        ours = not path.is_symlink() and path.is_file() and MARK in path.read_text(errors="replace")
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", "look at what it is") from None
    if not ours:
        raise ConfigurationError(f"{path} is not from spark-mode, and stays as it is", "move it away first")


def _not_writable(path: Path, error: OSError, system: bool) -> ConfigurationError:
    fix = "use sudo" if system else "set DOCKER_CONFIG to a directory that you may write"
    return ConfigurationError(f"{path}: {error.strerror}", fix)
