"""`spark-mode recover`."""

import click

from spark_mode.cli.context import Globals, output_options
from spark_mode.cli.switching import WITHOUT_END, show_report, wait_option


@click.command()
@wait_option
@output_options
@click.pass_obj
def recover(known: Globals, wait: float) -> None:
    """Finish a switch that was cut off, or bring back what ran before it, whichever is safe."""
    session = known.session()
    from spark_mode.cli.progress import watcher_for  # after Compose was asked
    from spark_mode.switching.report import SwitchOptions
    from spark_mode.switching.transaction import Transaction

    watcher, confirm = watcher_for(known)
    with watcher:
        report = Transaction(
            session, SwitchOptions(wait_seconds=None if wait == WITHOUT_END else wait), watcher, confirm
        ).recover()
    show_report(known, report)
