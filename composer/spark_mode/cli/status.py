"""`spark-mode status`."""

import click

from spark_mode.cli.context import CliOptions, output_options


@click.command()
@output_options
@click.pass_obj
def status(cli_options: CliOptions) -> None:
    """Show the mode, the services, the machine's memory, and what would not be allowed now."""
    session = cli_options.session()
    from spark_mode.cli.show_status import status_text  # after Compose was asked
    from spark_mode.reporting.status import status as look

    seen = look(session)
    cli_options.screen(seen.as_json(), lambda width: status_text(seen, width))
