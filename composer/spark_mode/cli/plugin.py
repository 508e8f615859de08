"""`spark-mode plugin`: `docker spark …` does what `spark-mode …` does."""

import os
import shlex
from pathlib import Path

import click

from spark_mode.cli.context import CliOptions, output_options
from spark_mode.enforcement.own_file import put, remove, require_ours
from spark_mode.own_command import own_command

SYSTEM = Path("/usr/local/lib/docker/cli-plugins")
PACKAGED = Path("/usr/libexec/docker/cli-plugins/docker-spark")
"""Where the Debian package has it, beside Docker's own."""
MARK = "Installed by: spark-mode plugin install"
SCRIPT = """#!/bin/sh
# Docker calls this as `docker spark …`. {mark}
exec {command} "$@"
"""

system_option = click.option("--system", is_flag=True, help="For all users of this machine; needs root.")


@click.group()
def plugin() -> None:
    """Install spark-mode as a Docker command."""


@plugin.command(short_help="Have `docker spark` be spark-mode")
@system_option
@output_options
@click.pass_obj
def install(cli_options: CliOptions, system: bool) -> None:
    """Put the plugin where Docker looks for it, so that `docker spark` works."""
    path = plugin_path(system)
    require_ours(path, MARK)
    put(path, plugin_script(), 0o755, _fix(system))
    cli_options.say({"plugin": str(path)}, lambda: installed_text(path))


def installed_text(path: Path) -> str:
    """Return where the plugin is now, and how it is used."""
    return f"{path} is in place\n  → it is used as: docker spark status"


@plugin.command(short_help="Take the plugin away again")
@system_option
@output_options
@click.pass_obj
def uninstall(cli_options: CliOptions, system: bool) -> None:
    """Take the plugin away again."""
    path = plugin_path(system)
    there = remove(path, MARK, _fix(system))
    cli_options.say({"plugin": None}, lambda: f"{path} {'is removed' if there else 'was not there'}")


def plugin_script() -> str:
    """Return the program that Docker calls."""
    return SCRIPT.format(mark=MARK, command=shlex.join(own_command()))


def plugin_path(system: bool) -> Path:
    """Return where the plugin lies: for all users, or for the one who asks."""
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins"
    return (SYSTEM if system else own) / "docker-spark"


def _fix(system: bool) -> str:
    return "use sudo" if system else "set DOCKER_CONFIG to a directory that you may write"
