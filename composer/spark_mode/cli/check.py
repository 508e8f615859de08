"""`spark-mode check`."""

from typing import TYPE_CHECKING

import click

from spark_mode.cli.context import CliOptions, output_options
from spark_mode.cli.plugin import PACKAGED, plugin_path

if TYPE_CHECKING:
    from spark_mode.reporting.finding import Finding
    from spark_mode.session.session import Session


@click.command()
@click.option("--fix", is_flag=True, help="Have systemd run anew a guard that is of another version; needs root.")
@output_options
@click.pass_obj
def check(cli_options: CliOptions, fix: bool) -> None:
    """Look for mistakes in rules.yaml, the Compose files, the engine and this machine; each with its fix."""
    session = cli_options.session()
    if fix:
        _run_anew(session)
    from spark_mode.cli.show_check import check_text  # after Compose was asked
    from spark_mode.enforcement.layers import layers
    from spark_mode.reporting.check import check as find

    findings = [*find(session, session.compose_version), *layers(session), _plugin()]
    cli_options.screen([one.model_dump() for one in findings], lambda width: check_text(findings, width))
    if any(one.level == "error" for one in findings):
        cli_options.exit_code = 3


def _run_anew(session: "Session") -> None:
    """Restart a guard of another version, where systemd runs it; elsewhere what was found says what to do."""
    from spark_mode.enforcement.presence import running_guard
    from spark_mode.enforcement.unit import restart

    guard = running_guard(session)
    if guard and guard.unit and guard.is_of_another_version:
        restart(guard.unit)


def _plugin() -> "Finding":
    from spark_mode.reporting.finding import Finding

    where = [str(path) for path in (plugin_path(system=False), plugin_path(system=True), PACKAGED) if path.exists()]
    if where:
        return Finding(level="ok", where="plugin", message=f"`docker spark` is spark-mode: {', '.join(where)}")
    message = "`docker spark` is not spark-mode"
    return Finding(level="optional", where="plugin", message=message, fix="spark-mode plugin install")
