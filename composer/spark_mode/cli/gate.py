"""`spark-mode gate`: plain `docker compose up` asks the rules first."""

import os
from pathlib import Path

import click

from spark_mode.cli.context import CliOptions, output_options
from spark_mode.errors import UsageFault


@click.group()
def gate() -> None:
    """Have plain `docker compose up` ask the rules first."""


@gate.command(short_help="Put a gate before each service")
@output_options
@click.pass_obj
def install(cli_options: CliOptions) -> None:
    """Put a gate before each service of the lab, and name it in the COMPOSE_FILE of the lab's .env."""
    from spark_mode.enforcement.gate_file import install as write
    from spark_mode.enforcement.layers import AROUND_GATE

    lab, session = _lab(cli_options), cli_options.session()
    path = write(session.project, lab, session.files)
    said = f"{path} is in place, and named in {lab / '.env'}: docker compose asks before it starts, {AROUND_GATE}"
    cli_options.show({"gate": str(path)}, lambda: said)


@gate.command(short_help="Take the gate out again")
@output_options
@click.pass_obj
def uninstall(cli_options: CliOptions) -> None:
    """Take the gate out of the lab again."""
    from spark_mode.enforcement.gate_file import uninstall as remove

    lab = _lab(cli_options)
    there = remove(lab)
    cli_options.show({"gate": None}, lambda: f"the gate of {lab} {'is removed' if there else 'was not there'}")


def _lab(cli_options: CliOptions) -> Path:
    """Return the folder of the lab, where the gate is. Raises UsageFault when the files were named another way."""
    from spark_mode.session.discovery import here, lab_folder

    if os.environ.get("COMPOSE_FILE"):
        message = "COMPOSE_FILE is exported here and goes around the gate, which is named in the lab's own .env"
        raise UsageFault(message, "in the lab's directory: unset COMPOSE_FILE")
    if cli_options.flags.files:
        raise UsageFault("the gate is named in the lab's own .env", "without -f, in the lab's directory")
    return lab_folder(cli_options.flags, os.environ, here())
