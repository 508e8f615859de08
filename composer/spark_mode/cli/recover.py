"""`spark-mode recover`."""

import click

from spark_mode.cli.context import CliOptions, event_options
from spark_mode.cli.switching import WITHOUT_END, show_report, wait_option


@click.command()
@wait_option
@event_options
@click.pass_obj
def recover(cli_options: CliOptions, wait: float) -> None:
    """Finish a switch that was cut off, or bring back what ran before it, whichever is safe."""
    session = cli_options.session()
    from spark_mode.cli.follower import watcher_for  # after Compose was asked
    from spark_mode.switching.report import SwitchOptions
    from spark_mode.switching.transaction import Transaction

    watcher, confirm = watcher_for(cli_options)
    with watcher:
        watcher.names(cli_options.lab)
        report = Transaction(
            session, SwitchOptions(wait_seconds=None if wait == WITHOUT_END else wait), watcher, confirm
        ).recover()
    show_report(cli_options, report, session.project)
