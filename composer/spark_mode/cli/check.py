"""`spark-mode check`."""

from typing import TYPE_CHECKING

import click

from spark_mode.cli.context import CliOptions, output_options
from spark_mode.cli.plugin import plugin_path

if TYPE_CHECKING:
    from spark_mode.reporting.finding import Finding


@click.command()
@output_options
@click.pass_obj
def check(cli_options: CliOptions) -> None:
    """Look for mistakes in rules.yaml, the Compose files, the engine and this machine; each with its fix."""
    session = cli_options.session()
    from spark_mode.enforcement.layers import layers
    from spark_mode.readable import readable  # after Compose was asked
    from spark_mode.reporting.check import check as find

    findings = [*find(session, session.compose_version), *layers(session), _plugin()]

    def text() -> str:
        marks = {"ok": "ok      ", "info": "info    ", "warning": "warning ", "error": "ERROR   "}
        return "\n".join(
            f"{marks[one.level]} {readable(one.where)}: {readable(one.message)}" + (f"\n          → {one.fix}" if one.fix else "")
            for one in findings
        )

    cli_options.screen([one.model_dump() for one in findings], text)
    if any(one.level == "error" for one in findings):
        cli_options.exit_code = 3


def _plugin() -> "Finding":
    from spark_mode.reporting.finding import Finding

    where = [str(path) for path in (plugin_path(system=False), plugin_path(system=True)) if path.exists()]
    if where:
        return Finding(level="ok", where="plugin", message=f"`docker spark` is spark-mode: {', '.join(where)}")
    return Finding(level="ok", where="plugin", message="`docker spark` is not installed: spark-mode plugin install")
