"""`spark-mode guard`: watch what others start."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spark_mode.cli.context import CliOptions, output_options
from spark_mode.errors import ConfigurationError
from spark_mode.sharing.directories import SET_UP

if TYPE_CHECKING:
    from spark_mode.lab.files import LabFiles
    from spark_mode.session.session import Session


@click.group(invoke_without_command=True)
@click.pass_context
def guard(ctx: click.Context) -> None:
    """Watch what others start, and hold the rules against it; in the foreground, until Ctrl-C."""
    if ctx.invoked_subcommand is None:
        _watch(ctx.ensure_object(CliOptions))


@guard.command(short_help="Have systemd run the guard")
@output_options
@click.pass_obj
def install(cli_options: CliOptions) -> None:
    """Have systemd run the guard of this lab, as it is named here, now and at every boot; needs root."""
    from spark_mode.enforcement.unit import install as write

    folder = _require_trusted(cli_options)
    session = cli_options.session()  # a lab that cannot be read is said now, not in a log
    if not session.directories.shared:
        message = "a guard that runs as root needs the lock and the journal that all users share"
        raise ConfigurationError(message, f"first, once: {SET_UP}")
    path = write(session.files, session.project.name, folder, units=tuple(session.rules.units))
    cli_options.say({"unit": str(path)}, lambda: installed_text(path, session.files))


def installed_text(unit: Path, files: "LabFiles") -> str:
    """Return what systemd runs now, for which files, and what shows how it goes."""
    guarded = (f"  {one}" for one in (*files.all_compose, files.rules))
    return "\n".join([f"{unit} is in place, and guards the lab of", *guarded, f"  → how it goes: systemctl status {unit.name}"])


@guard.command(short_help="Stop the guard, and have it run no more")
@output_options
@click.pass_obj
def uninstall(cli_options: CliOptions) -> None:
    """Stop the guard and take its unit away; with several, that of the project that -p names."""
    from spark_mode.enforcement.unit import uninstall as remove

    name = remove(cli_options.flags.project_name)
    cli_options.say({"unit": None}, lambda: f"{name} is removed" if name else "no guard was installed")


def _require_trusted(cli_options: CliOptions) -> Path:
    """Look at who may write the lab, before anything of it is read; return the directory from which it was named."""
    from spark_mode.enforcement.trust import require_trusted
    from spark_mode.session.discovery import find_lab, here, lab_folder

    found = find_lab(cli_options.flags, os.environ, here())
    require_trusted(found)
    if found.others:
        return Path(found.rules).parent
    named = cli_options.flags.files or os.environ.get("COMPOSE_FILE")
    return here() if named else lab_folder(cli_options.flags, os.environ, here())


def _watch(cli_options: CliOptions) -> None:
    from spark_mode.enforcement.guard import JOURNAL_SECONDS, Guard
    from spark_mode.enforcement.patience import once_ready
    from spark_mode.enforcement.presence import directories_all_the_same, the_only_guard
    from spark_mode.readable import readable
    from spark_mode.session.discovery import find_lab, here
    from spark_mode.session.opening import open_lab

    found = find_lab(cli_options.flags, os.environ, here())

    def say(line: str) -> None:
        click.echo(readable(line))

    def opened() -> "Session":
        session = open_lab(found)
        session.identity()
        session.directories = directories_all_the_same(say)
        session.journal_seconds = JOURNAL_SECONDS
        return session

    is_begun_anew = True
    while is_begun_anew:
        _require_trusted(cli_options)
        session = once_ready(opened, say)
        with the_only_guard(session, say):
            is_begun_anew = Guard(session, say).run()
    click.echo("the guard ends; nothing was stopped by that")
