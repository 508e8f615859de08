"""`spark-mode lab [DIR]`."""

import os
from pathlib import Path

import click

from spark_mode.atomic_file import replace_file
from spark_mode.cli.context import CliOptions, output_options
from spark_mode.errors import ConfigurationError
from spark_mode.lab.files import LabFiles
from spark_mode.plain_file import is_folder
from spark_mode.session.discovery import Flags, find_lab, here
from spark_mode.session.set_lab import lab_setting, set_folder


@click.command()
@click.argument("path", required=False, metavar="[DIR]", type=click.Path(path_type=Path))
@click.option("--unset", is_flag=True, help="Forget the lab that was set.")
@output_options
@click.pass_obj
def lab(cli_options: CliOptions, path: Path | None, unset: bool) -> None:
    """Show which lab is used here, or set the lab in the directory DIR as the one that is used from anywhere."""
    if unset and path is not None:
        raise click.UsageError("give either a directory or --unset")
    if unset:
        _unset(cli_options)
    elif path is not None:
        _set(cli_options, path.resolve())
    else:
        _show(cli_options)


def _show(cli_options: CliOptions) -> None:
    found = find_lab(cli_options.flags, os.environ, here())
    anywhere = set_folder(os.environ)
    data = {"files": list(found.all_compose), "rules": found.rules, "project_name": found.project_name}
    cli_options.show({**data, "set": str(anywhere) if anywhere else None}, lambda: lab_text(found, anywhere))


def lab_text(found: LabFiles, anywhere: Path | None) -> str:
    """Return which files are used here, a line each, and which lab from anywhere."""
    said = f"from anywhere: {anywhere}" if anywhere else "from anywhere: none; to have this one: spark-mode lab DIR"
    return "\n".join([*found.all_compose, found.rules, said])


def set_text(folder: Path) -> str:
    """Return what is so once a lab is set."""
    return f"the lab in {folder} is used from anywhere\n  → to forget it: spark-mode lab --unset"


def _set(cli_options: CliOptions, folder: Path) -> None:
    if not is_folder(folder):
        raise ConfigurationError(f"{folder} is not a directory", "name the directory that holds the lab's files")
    find_lab(Flags(directory=str(folder)), {}, folder)
    setting = lab_setting(os.environ)
    try:
        setting.parent.mkdir(parents=True, exist_ok=True)
        replace_file(setting, f"{folder}\n".encode(), 0o644)
    except OSError as error:
        raise ConfigurationError(f"{setting}: {error.strerror}", "set XDG_CONFIG_HOME to a directory you may write") from None
    cli_options.say({"lab": str(folder)}, lambda: set_text(folder))


def _unset(cli_options: CliOptions) -> None:
    setting = lab_setting(os.environ)
    try:
        setting.unlink()
        said = "no lab is used from anywhere any more"
    except FileNotFoundError:
        said = "no lab was set"
    except OSError as error:
        raise ConfigurationError(f"{setting}: {error.strerror}", f"remove it: rm {setting}") from None
    cli_options.say({"lab": None}, lambda: said)
