"""`spark-mode rules`."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from spark_mode.cli.context import CliOptions, output_options

if TYPE_CHECKING:
    from spark_mode.lab.rules import Rules


@click.command()
@click.option("--schema", is_flag=True, help="Print the JSON schema of rules files, for editors; needs no lab.")
@output_options
@click.pass_obj
def rules(cli_options: CliOptions, schema: bool) -> None:
    """Print the rules file of the lab with all that it leaves out, as YAML that says the same."""
    if schema:
        from spark_mode.lab.rules_schema import rules_schema

        made = rules_schema()
        cli_options.show(made, lambda: json.dumps(made, indent=2))
        return
    session = cli_options.session()
    from spark_mode.cli.tables import terminal_width
    from spark_mode.lab.by_nature import without_nature
    from spark_mode.lab.rules_writing import as_document
    from spark_mode.session.rules_file import assumed_of_file

    written = without_nature(session.rules)

    def text() -> str:
        return rules_text(written, assumed_of_file(session.files.rules, written, session.project), terminal_width())

    cli_options.show(as_document(written), text)


LONGEST = 26
"""How far PyYAML goes beyond the width that it is given: up to the end of a key with its value."""


def rules_text(rules: "Rules", assumed: Sequence[tuple[str, str]], width: int | None) -> str:
    """Return a rules file with all that it leaves out, which is told before it; within a terminal it is as wide as that."""
    from textwrap import wrap

    from spark_mode.lab.rules_writing import WIDTH, as_text

    room, of_yaml = (WIDTH, WIDTH) if width is None else (width, max(width - LONGEST, LONGEST))
    told = [
        part
        for where, words in assumed
        for part in wrap(
            f"{where}: {words}",
            room,
            initial_indent="#   ",
            subsequent_indent="#     ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]
    heading = ["# Assumed, where the file says nothing:"] if told else []
    return "\n".join([*heading, *told, as_text(rules, of_yaml).rstrip("\n")])
