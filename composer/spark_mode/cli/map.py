"""`spark-mode map`: the quick reference card of the machine, drawn from rules.yaml and what is there now."""

import click

from spark_mode.cli.context import CliOptions, output_options

NARROWEST, WIDEST = 60, 110


@click.command()
@output_options
@click.pass_obj
def map(cli_options: CliOptions) -> None:  # noqa: A001 - a verb's function is named like the verb
    """Show the machine on one card: memory, compute and bandwidth, what runs and what could be added now."""
    session = cli_options.session()
    from spark_mode.cli.show_map import map_text
    from spark_mode.reporting.resources import resources

    cli_options.notice(session)
    seen = resources(session)
    cli_options.screen(seen.as_json(), lambda width: map_text(seen, min(max(width or WIDEST, NARROWEST), WIDEST)))
