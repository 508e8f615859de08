"""`spark-mode stop [NAME…]`."""

from typing import Any

import click

from spark_mode.cli.completed_by import completed_by
from spark_mode.cli.context import CliOptions
from spark_mode.cli.switching import carry_out, switch_options
from spark_mode.cli.verb import Verb


@click.command(
    cls=Verb,
    examples={
        "stop": "Everything of the lab",
        "stop {name}": "That alone; refused where something that stays depends on it",
        "stop -p NAME": "What runs of a project whose files are gone",
    },
)
@click.argument("names", nargs=-1, shell_complete=completed_by("names"))
@click.option("--alone", is_flag=True, help="Also where something that stays depends on it.")
@switch_options()
@click.pass_obj
def stop(cli_options: CliOptions, /, names: tuple[str, ...], alone: bool, **options: Any) -> None:
    """Stop everything of the lab, or what is named. NAME is a profile first, then a workload, then a service.

    Needs no valid Compose file.
    """
    from spark_mode.planning.request import StopRequest

    if alone and not names:
        raise click.UsageError("--alone is for what is named")
    request = StopRequest(names=names, alone=alone)
    carry_out(cli_options, cli_options.session(need_project=False, lenient=True), request, options)
