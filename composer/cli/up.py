"""`spark-mode up NAME…`."""

from typing import Any

import click

from composer.cli.context import Globals
from composer.cli.switching import carry_out, switch_options


@click.command()
@click.argument("names", nargs=-1, required=True)
@switch_options()
@click.pass_obj
def up(known: Globals, /, names: tuple[str, ...], **options: Any) -> None:
    """Add profiles or workloads to what runs. NAME is a profile first."""
    carry_out(known, "up", names, options)
