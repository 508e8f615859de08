"""`spark-mode history`."""

import click

from spark_mode.cli.context import CliOptions, output_options
from spark_mode.cli.verb import Verb


@click.command(cls=Verb, examples={"history": "The last 20 switches", "history -n 3": "The last three"})
@click.option("-n", "--last", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="How many to show.")
@output_options
@click.pass_obj
def history(cli_options: CliOptions, last: int) -> None:
    """Show what was switched: when, by whom, how long it took and how it ended."""
    session = cli_options.session(need_project=False)
    from spark_mode.cli.show_history import history_text  # after Compose was asked
    from spark_mode.reporting.history import history as read

    all_events = read(session)
    events = all_events[-last:]
    earlier = "\n  → earlier ones: spark-mode history -n " + str(2 * last) if len(all_events) > last else ""
    cli_options.notice(session)
    cli_options.screen([one.as_json() for one in events], lambda width: history_text(events, width) + earlier)
