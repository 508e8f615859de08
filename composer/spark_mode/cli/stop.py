"""`spark-mode stop [NAME…]`."""

from typing import Any

import click

from spark_mode.cli.completed_by import completed_by
from spark_mode.cli.context import CliOptions
from spark_mode.cli.switching import carry_out, switch_options


@click.command()
@click.argument("names", nargs=-1, shell_complete=completed_by("names"))
@switch_options(models=False)
@click.pass_obj
def stop(cli_options: CliOptions, /, names: tuple[str, ...], **options: Any) -> None:
    """StopRequest everything of the lab, or the named workloads, services or profiles. Needs no valid Compose file."""
    from spark_mode.planning.request import StopRequest

    carry_out(cli_options, cli_options.session(need_project=False, lenient=True), StopRequest(names=names), options)
