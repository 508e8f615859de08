"""`spark-mode gate`: plain `docker compose up` asks the rules first."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spark_mode.cli.context import CliOptions, output_options
from spark_mode.errors import UsageFault
from spark_mode.plain_file import is_folder

if TYPE_CHECKING:
    from spark_mode.session.session import Session


@click.group()
def gate() -> None:
    """Have plain `docker compose up` ask the rules first."""


@gate.command(short_help="Put a gate before each service")
@output_options
@click.pass_obj
def install(cli_options: CliOptions) -> None:
    """Put a gate before each service of the lab, and name it in the COMPOSE_FILE of the lab's .env."""
    from spark_mode.enforcement.gate_file import install as write

    lab, session = _lab(cli_options), cli_options.session()
    if session.project.parts:
        _install_in_each(cli_options, session)
        return
    path = write(session.project, lab, session.files)
    _remember(session, [path])
    cli_options.say({"gate": str(path)}, lambda: installed_text([path], []))


def installed_text(gates: Sequence[Path], without: Sequence[tuple[str, str]]) -> str:
    """Return where gates are now, what they do and what takes them out; which projects are `without` one, and why."""
    from spark_mode.enforcement.layers import AROUND_GATE

    placed = [f"{path} is in place, and named in {path.parent / '.env'}" for path in gates]
    left = [f"{name} has none: {why}" for name, why in without]
    asks = f"plain `docker compose up` asks the rules first, {AROUND_GATE}"
    return "\n".join([*placed, *left, asks, "  → to take it out again: spark-mode gate uninstall"])


def _install_in_each(cli_options: CliOptions, session: "Session") -> None:
    """Put the gate before each service of several projects; one whose files are named, or cannot be read, has none."""
    from spark_mode.enforcement.gate_file import install as write
    from spark_mode.enforcement.layers import without_place

    written = [
        write(part, Path(files.folder), files)
        for part, files in zip(session.project.parts, session.files.each, strict=True)
        if files.folder and "" not in part.unusable
    ]
    _remember(session, written)
    data = {"gates": [str(path) for path in written]}
    cli_options.say(data, lambda: installed_text(written, [*without_place(session)]))


@gate.command(short_help="Take the gate out again")
@output_options
@click.pass_obj
def uninstall(cli_options: CliOptions) -> None:
    """Take the gate out of the lab again."""
    from spark_mode.enforcement.gate_file import uninstall as remove
    from spark_mode.lab.files import RULES_NAME
    from spark_mode.session.several import lab_of_rules

    lab = _lab(cli_options)
    several = lab_of_rules(str(lab / (cli_options.flags.rules or RULES_NAME)))
    folders = [Path(one.folder) for one in several.each if one.folder] if several else [lab]
    gone = [folder for folder in folders if not is_folder(folder)]
    said = [f"the gate of {one} {'is removed' if remove(one) else 'was not there'}" for one in folders if one not in gone]
    said += [f"{one} is not there, and rules.yaml names it; in its new place: spark-mode gate uninstall" for one in gone]
    cli_options.exit_code = 3 if gone else cli_options.exit_code
    cli_options.say({"gate": None}, lambda: "\n".join(said))


def _remember(session: "Session", gates: list[Path]) -> None:
    """Write down where these gates are, for `spark-mode uninstall`."""
    from spark_mode.enforcement.known_gates import remember_gate

    for gate in gates:
        remember_gate(session.directories.state, gate.parent)


def _lab(cli_options: CliOptions) -> Path:
    """Return the folder of the lab, where the gate is. Raises UsageFault when the files were named another way."""
    from spark_mode.session.discovery import here, lab_folder

    if os.environ.get("COMPOSE_FILE"):
        message = "COMPOSE_FILE is exported here and goes around the gate, which is named in the lab's own .env"
        raise UsageFault(message, "in the lab's directory: unset COMPOSE_FILE")
    if cli_options.flags.files:
        raise UsageFault("the gate is named in the lab's own .env", "without -f, in the lab's directory")
    return lab_folder(cli_options.flags, os.environ, here())
