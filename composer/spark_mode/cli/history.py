"""`spark-mode history`."""

import click

from spark_mode.cli.context import CliOptions, output_options
from spark_mode.cli.tables import columns
from spark_mode.cli.verb import Verb
from spark_mode.readable import readable


@click.command(cls=Verb, examples={"history": "The last 20 switches", "history -n 3": "The last three"})
@click.option("-n", "--last", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="How many to show.")
@output_options
@click.pass_obj
def history(cli_options: CliOptions, last: int) -> None:
    """Show what was switched: when, by whom, how long it took and how it ended."""
    session = cli_options.session(need_project=False)
    from spark_mode.reporting.history import history as read  # after Compose was asked

    events = read(session)[-last:]
    cli_options.notice(session)
    head = ("WHEN (UTC)", "REQUEST", "BY", "TOOK", "OUTCOME")
    rows = [(one.at, readable(one.request), readable(one.by), one.took, one.said) for one in events]
    cli_options.screen(
        [one.as_json() for one in events], lambda: columns([head, *rows], right=(3,)) if rows else "nothing was switched here yet"
    )
