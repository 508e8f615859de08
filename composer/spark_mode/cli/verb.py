"""A verb whose help ends with examples, in the names of the lab at hand."""

from collections.abc import Mapping
from typing import Any

import click

from spark_mode.cli.context import CliOptions

WIDEST = 50
"""Up to how many characters an example has its explanation beside it; else that goes below."""


class Verb(click.Command):
    """A command with `examples`: what is typed after the program's name, and what it does; `{mode}` stands for one of the lab."""

    def __init__(self, *args: Any, examples: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_examples(self.examples, ctx, formatter)


def write_examples(examples: Mapping[str, str], ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write examples with the names that the lab has."""
    root = ctx.find_root()
    names = CliOptions.of(root.params).names()
    with formatter.section("Examples"):
        rows = [(f"{root.info_name} {line.format_map(names)}", said) for line, said in examples.items()]
        formatter.write_dl(rows, col_max=WIDEST)
