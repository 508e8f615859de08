"""`spark-mode restore`."""

from typing import Any

import click

from spark_mode.cli.context import CliOptions
from spark_mode.cli.switching import STARTS, carry_out, switch_options
from spark_mode.cli.verb import Verb


@click.command(
    cls=Verb, examples={"restore": "What ran before the last switch", "restore --dry-run": "What that is; changes nothing"}
)
@switch_options(*STARTS)
@click.option("--undo", hidden=True, help="Only if the switch with this id is still the last one.")
@click.pass_obj
def restore(cli_options: CliOptions, /, **options: Any) -> None:
    """Go back to what ran before the last switch."""
    session = cli_options.session()
    carry_out(cli_options, session, session.restore_request(), options)
