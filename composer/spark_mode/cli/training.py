"""`spark-mode training` and `spark-mode training:VARIANT`."""

from typing import Any

import click

from spark_mode.cli.context import CliOptions
from spark_mode.cli.switching import carry_out, switch_options


@click.command()
@switch_options()
@click.option("--then", type=click.Choice(["restore"]), help="Stay, and bring back what ran before when training ends.")
@click.pass_obj
def training(cli_options: CliOptions, /, **options: Any) -> None:
    """Switch to training; `training:large` runs it in that variant. Audio and language models are stopped."""
    carry_out(cli_options, "training", (cli_options.variant,) if cli_options.variant else (), options)
