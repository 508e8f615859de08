"""`spark-mode audio PROFILE`."""

from typing import Any

import click

from spark_mode.cli.completed_by import completed_by
from spark_mode.cli.context import CliOptions
from spark_mode.cli.switching import carry_out, switch_options


@click.command()
@click.argument("profile", shell_complete=completed_by("audio"))
@switch_options()
@click.pass_obj
def audio(cli_options: CliOptions, /, profile: str, **options: Any) -> None:
    """Switch to an audio PROFILE: exactly its services of audio; training is stopped, other classes stay."""
    carry_out(cli_options, "audio", (profile,), options)
