"""`spark-mode lab [PATH]`."""

import os
from pathlib import Path

import click

from spark_mode.atomic_file import replace_file
from spark_mode.cli.context import CliOptions, output_options
from spark_mode.errors import ConfigurationError
from spark_mode.session.discovery import Flags, find_lab, here, lab_setting


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@output_options
@click.pass_obj
def lab(cli_options: CliOptions, path: Path | None) -> None:
    """Show which lab is used here, or set the lab in the directory PATH as the one that is used from anywhere."""
    if path is not None:
        folder = path.resolve()
        if not folder.is_dir():
            raise ConfigurationError(f"{folder} is not a directory", "name the directory that holds the lab's files")
        find_lab(Flags(), {}, folder)
        setting = lab_setting(os.environ)
        try:
            setting.parent.mkdir(parents=True, exist_ok=True)
            replace_file(setting, f"{folder}\n".encode(), 0o644)
        except OSError as error:
            raise ConfigurationError(f"{setting}: {error.strerror}", "set XDG_CONFIG_HOME to a directory you may write") from None
        cli_options.show({"lab": str(folder)}, lambda: f"the lab in {folder} is used from anywhere")
        return
    found = find_lab(cli_options.flags, os.environ, here())
    cli_options.show(
        {"files": list(found.compose), "rules": found.rules, "project_name": found.project_name},
        lambda: "\n".join([*found.compose, found.rules]),
    )
