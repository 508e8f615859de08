"""`spark-mode rules`."""

import json

import click

from spark_mode.cli.context import CliOptions, output_options


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
    from spark_mode.lab.by_nature import without_nature
    from spark_mode.lab.rules_writing import as_document, as_text
    from spark_mode.session.rules_file import assumed_of_file

    written = without_nature(session.rules)

    def text() -> str:
        assumed = assumed_of_file(session.files.rules, written, session.project)
        lines = ["# Assumed, where the file says nothing:", *(f"#   {where}: {words}" for where, words in assumed)]
        return "\n".join([*(lines if assumed else ()), as_text(written).rstrip("\n")])

    cli_options.show(as_document(written), text)
