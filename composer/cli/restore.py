"""`spark-mode restore`."""

from typing import Any

import click

from composer.cli.context import Globals
from composer.cli.switching import carry_out, switch_options


@click.command()
@switch_options(models=False)
@click.pass_obj
def restore(known: Globals, /, **options: Any) -> None:
    """Go back to what ran before the last switch."""
    carry_out(known, "restore", (), options)
