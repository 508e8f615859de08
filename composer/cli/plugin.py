"""`spark-mode plugin install`: `docker spark …` does what `spark-mode …` does."""

import os
import shlex
import sys
from pathlib import Path

import click

from composer.cli.context import Globals, output_options
from composer.errors import ConfigurationError

SCRIPT = """#!/bin/sh
# Docker calls this as `docker spark …`. Installed by: spark-mode plugin install
exec {python} -m composer.cli "$@"
"""


@click.group()
def plugin() -> None:
    """Install spark-mode as a Docker command."""


@plugin.command()
@output_options
@click.pass_obj
def install(known: Globals) -> None:
    """Put the plugin where Docker looks for the user's own, so that `docker spark` works."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins"
    path = folder / "docker-spark"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        new = path.with_name(".docker-spark.new")
        new.write_text(SCRIPT.format(python=shlex.quote(sys.executable)))
        new.chmod(0o755)
        new.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", "set DOCKER_CONFIG to a directory that you may write") from None
    known.show({"plugin": str(path)}, lambda: f"{path} is in place: docker spark status")
