"""`spark-mode up NAME…`."""

from typing import Any

import click

from spark_mode.cli.completed_by import completed_by
from spark_mode.cli.context import CliOptions
from spark_mode.cli.switching import carry_out, switch_options


@click.command()
@click.argument("names", nargs=-1, required=True, shell_complete=completed_by("names"))
@switch_options()
@click.pass_obj
def up(cli_options: CliOptions, /, names: tuple[str, ...], **options: Any) -> None:
    """Add profiles or workloads to what runs. NAME is a profile first."""
    from spark_mode.planning.request import UpRequest

    carry_out(cli_options, cli_options.session(), UpRequest(names=names), options)
