"""`spark-mode up NAME…`."""

from typing import Any

import click

from spark_mode.cli.completed_by import completed_by
from spark_mode.cli.context import CliOptions
from spark_mode.cli.switching import ADDS, STARTS, carry_out, switch_options
from spark_mode.cli.verb import Verb


@click.command(
    cls=Verb,
    examples={
        "up {name}": "Beside what runs, if it may and fits",
        "up {name} --dry-run": "What that would stop, and why; changes nothing",
        "up {name} --wait=600": "Once another switch has ended, which may take ten minutes",
    },
)
@click.argument("names", nargs=-1, required=True, shell_complete=completed_by("names"))
@switch_options(*ADDS, *STARTS)
@click.pass_obj
def up(cli_options: CliOptions, /, names: tuple[str, ...], **options: Any) -> None:
    """Add profiles or workloads to what runs. NAME is a profile first."""
    from spark_mode.planning.request import UpRequest

    carry_out(cli_options, cli_options.session(), UpRequest(names=names), options)
