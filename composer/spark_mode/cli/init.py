"""`spark-mode init [DIR|FILE …]`: from any Compose project to a first rules.yaml."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spark_mode.cli.best_effort_stream import BestEffortStream
from spark_mode.cli.context import CliOptions, output_options
from spark_mode.cli.verb import Verb
from spark_mode.errors import ConfigurationError
from spark_mode.lab.files import LabFiles
from spark_mode.session.discovery import here

if TYPE_CHECKING:
    from spark_mode.cli.first_rules import FirstRules


@click.command(
    cls=Verb,
    examples={
        "init": "For the Compose project of this directory",
        "init ../pictures --print": "For another one, and show it only",
        "init --example": "A lab to try things with, in ./audio-lab",
    },
)
@click.argument("paths", nargs=-1, metavar="[DIR|FILE]...", type=click.Path())
@click.option(
    "--out", type=click.Path(dir_okay=False), metavar="FILE", help="Where to write; else rules.yaml beside the Compose file."
)
@click.option("-y", "--yes", "--no-input", "yes", is_flag=True, help="Ask nothing, and take what is proposed.")
@click.option("--measure", is_flag=True, help="Take what the services hold now for evidence, too; needs the engine.")
@click.option("--print", "only_print", is_flag=True, help="Print the file, and write nothing.")
@click.option("--example", is_flag=True, help="Unpack the audio lab and stand-ins of its models into DIR, else audio-lab.")
@output_options
@click.pass_obj
def init(
    cli_options: CliOptions, paths: tuple[str, ...], out: str | None, yes: bool, measure: bool, only_print: bool, example: bool
) -> None:
    """Write a first rules.yaml from Compose files: what may run together, and what each service takes.

    Each size says what it rests on. A file that is there is never changed.
    """
    if example:
        from spark_mode.cli.example import FOLDER, unpack

        if len(paths) > 1 or out or only_print:
            raise click.UsageError("--example takes one DIR and nothing else")
        folder = here() / (paths[0] if paths else FOLDER)
        leads_on = unpack(folder)
        cli_options.show({"folder": str(folder)}, lambda: leads_on)
        return
    from spark_mode.cli.first_rules import first_rules
    from spark_mode.cli.show_first_rules import findings, shown
    from spark_mode.cli.tables import terminal_width

    terminal = BestEffortStream(sys.stdin).isatty() and BestEffortStream(sys.stderr).isatty()
    may_ask = terminal and not (yes or only_print) and cli_options.format == "table"

    def place(files: LabFiles) -> Path:
        return here() / out if out else Path(files.rules)

    # Over a file that is there nothing is written, so there is nothing to ask.
    flags = cli_options.flags._replace(rules=str(here() / out)) if out else cli_options.flags
    made = first_rules(flags, paths, os.environ, here(), measure, lambda files: may_ask and not (files and place(files).exists()))
    if only_print:
        cli_options.show(made.as_json(written=False), made.text.rstrip)
        return
    path = place(made.files)
    there = _there(path)
    if there is None:
        _write(path, made.text)
    elif there != made.text.encode():
        cli_options.exit_code = 4
        cli_options.show(made.as_json(written=False), lambda: refusal(path, made, there))
        return
    is_new = there is None
    found = findings(made, path) if is_new and not cli_options.is_json else ()
    cli_options.say(made.as_json(written=is_new), lambda: shown(made, path, is_new, found, terminal_width()))


def _there(path: Path) -> bytes | None:
    """Return what lies where the file is to be; None where nothing does. Raises ConfigurationError."""
    from spark_mode.plain_file import fault, read_plain

    try:
        return read_plain(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(*fault(path, error, "name another file: --out FILE")) from None


def _write(path: Path, text: str) -> None:
    """Write a file that is not there, whole or not at all. Raises ConfigurationError."""
    from spark_mode.atomic_file import replace_file

    try:
        replace_file(path, text.encode(), 0o644, over=False)
    except FileExistsError:
        raise ConfigurationError(f"{path} was written meanwhile; it stays as it is", "see what is in it, and try again") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", "name another file: --out FILE") from None


def refusal(path: Path, made: "FirstRules", there: bytes) -> str:
    """Return what a file that is there lacks of all that would be proposed."""
    from spark_mode.errors import SparkModeError
    from spark_mode.init.beside import beside
    from spark_mode.init.written import sections
    from spark_mode.lab.document import parse_document

    document: Any = None
    with suppress(SparkModeError):  # of what is no rules file all would be new
        document = parse_document(there.decode(errors="replace"), path.name)
    added = sections(beside(made.proposal, document)).strip("\n")
    if not added:
        return f"{path} is there, and stays as it is; it has all that would be proposed"
    return f"{path} is there, and stays as it is. This would be added:\n\n{added}"
