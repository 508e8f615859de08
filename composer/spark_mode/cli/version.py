"""`spark-mode version`: what works together here, for whoever asks or reports a fault."""

import platform
import sys
from typing import TYPE_CHECKING, NamedTuple

import click

from spark_mode import __version__
from spark_mode.cli.context import CliOptions, output_options
from spark_mode.errors import SparkModeError

if TYPE_CHECKING:
    from spark_mode.session.session import Session


class Versions(NamedTuple):
    """What there is; None where it cannot be told. `guard` is the version of the one that runs for this lab."""

    docker: str | None = None
    compose: str | None = None
    lab: str | None = None
    guard: str | None = None


@click.command()
@output_options
@click.pass_obj
def version(cli_options: CliOptions) -> None:
    """Show the versions of spark-mode, Python, Docker and Compose, the lab, and whether its guard is of this version."""
    found = _versions(cli_options)
    data: dict[str, str | None] = {"version": __version__, "python": platform.python_version(), "prefix": sys.prefix}
    cli_options.say({**data, **found._asdict()}, lambda: version_text(found, sys.prefix, platform.python_version()))


def version_text(found: Versions, prefix: str, python: str) -> str:
    """Return the versions as people read them; `prefix` is where the program lies."""
    return "\n".join(
        (
            f"spark-mode  {__version__}, in {prefix}",
            f"Python      {python}",
            f"Docker      {found.docker or 'no engine answers'}",
            f"Compose     {found.compose or 'does not answer'}",
            f"lab         {found.lab or 'none here'}",
            f"guard       {_guard(found.guard)}",
        )
    )


def _versions(cli_options: CliOptions) -> Versions:
    from spark_mode.reporting.versions import compose_version, engine_version

    docker, compose = engine_version(), compose_version()
    try:
        session = cli_options.session(need_project=False)
        return Versions(docker, compose, session.files.rules, _guards_version(session))
    except SparkModeError:
        return Versions(docker, compose)


def _guards_version(session: "Session") -> str | None:
    from spark_mode.enforcement.presence import running_guard

    try:
        guard = running_guard(session)
    except SparkModeError:  # it belongs to an engine, and none answers
        return None
    return guard.version if guard else None


def _guard(running: str | None) -> str:
    if running is None:
        return "does not run"
    return "runs, of this version" if running == __version__ else f"runs, of {running or 'an earlier version'}: spark-mode check"
