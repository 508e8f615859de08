"""How an argument says what completes it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def completed_by(kind: str) -> Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]:
    """Have an argument completed with what the lab knows of this kind; see `completion.py`, imported when a shell asks."""

    def ask(ctx: click.Context, _: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        from spark_mode.cli.completion import complete

        return complete(kind, ctx, incomplete)

    return ask
