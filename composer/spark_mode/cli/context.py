"""What every verb shares: the global options, the lab in hand, and how results are printed."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from spark_mode.cli.sign import Sign
from spark_mode.errors import ConfigurationError, SparkModeError
from spark_mode.lab.files import RULES_NAME, LabFiles
from spark_mode.lab.verbs import VERBS
from spark_mode.readable import readable_lines
from spark_mode.session.discovery import Flags, find_lab, find_rules, here

if TYPE_CHECKING:
    from spark_mode.lab.project import Project
    from spark_mode.lab.rules import Rules
    from spark_mode.session.known_modes import KnownMode
    from spark_mode.session.session import Session

TYPED_IN = "spark_mode.typed_in"
"""What a context keeps: the directory in which the command was typed, where `-C` names another one."""
VARIABLE = "_SPARK_MODE_COMPLETE"
"""With what a shell asks what may come next."""
FORMATS = ("table", "json", "jsonl")
Verb = TypeVar("Verb", bound=Callable[..., Any])


class CliOptions:
    """The global options. `exit_code` is what a verb that printed a result asks for; `lab` names the lab in hand in a line.

    `options_of_all` are those of the whole command, each with whether it takes a value, where there is no lab to read them for.
    `sign` says meanwhile that something is done. `outcome` is how a switch ended, as the journal has it.
    """

    def __init__(self) -> None:
        self.flags = Flags()
        self.format = "table"
        self.quiet = False
        self.exit_code = 0
        self.printed = False
        self.lab = ""
        self.outcome: str | None = None
        self.options_of_all: Mapping[str, bool] = {}
        self.sign = Sign()

    @classmethod
    def of(cls, options: dict[str, Any]) -> "CliOptions":
        """Return the global options that click has read."""
        cli_options = cls()
        cli_options.take(options)
        return cli_options

    def take(self, options: dict[str, Any]) -> None:
        """Take over what click has read, which may be only some of them."""
        self.format, self.quiet = options.get("format", "table"), options.get("quiet", False)
        self.flags = Flags(**{name: options[name] for name in Flags._fields if name in options})

    def session(self, need_project: bool = True, lenient: bool = False) -> "Session":
        """Return the lab in hand, which gets its line."""
        session = self.open(need_project, lenient)
        names = session.project.names
        self.lab = f"lab     {Path(session.files.rules).parent} (project{'s' * (len(names) > 1)} {', '.join(names)})"
        return session

    def open(self, need_project: bool, lenient: bool) -> "Session":
        """Open the lab; Compose is asked first and answers while the rest is imported."""
        self._sign()
        from spark_mode.session.opening import open_lab

        return open_lab(self._files(lenient), need_project, lenient)

    def _sign(self) -> None:
        """Say at once that the lab is looked at: Compose and the engine take their time to answer."""
        if not self.quiet:
            self.sign.shown()

    def _files(self, lenient: bool) -> LabFiles:
        """Find the lab's files; who is lenient needs none of them where the project's name is given."""
        try:
            return find_lab(self.flags, os.environ, here())
        except ConfigurationError as error:
            if not lenient:
                raise
            if name := self.flags.project_name or os.environ.get("COMPOSE_PROJECT_NAME"):
                return LabFiles(compose=self.flags.files, rules=self.flags.rules or str(here() / RULES_NAME), project_name=name)
            by_name = "where its files are gone, name its project: spark-mode -p NAME stop"
            raise ConfigurationError(error.message, f"{error.hint}; {by_name}" if error.hint else by_name) from None

    def notice(self, session: "Session") -> None:
        """Say on standard error that a switch was cut off, for verbs that show something else."""
        try:
            cut_off = session.cut_off or session.journal_state.puzzle
        except SparkModeError:
            return  # the verb will say so itself
        if cut_off:
            self._tell(f"note: {cut_off}; spark-mode recover")

    def name_lab(self) -> None:
        """Say on standard error which lab is in hand, where no screen has it."""
        self._tell(self.lab)

    def _tell(self, text: str) -> None:
        from spark_mode.cli.on_screen import on_screen

        self.sign.gone()
        click.echo(on_screen(text, sys.stderr), err=True)

    def rules(self) -> "Rules":
        """Read the rules alone."""
        from spark_mode.session.rules_file import read_rules_file

        file = find_rules(self.flags, os.environ, here())
        self.lab = f"lab     {Path(file).parent}"
        return read_rules_file(file)

    def project(self) -> "Project | None":
        """Read the Compose files alone, which needs no engine; None where there are none that can be read."""
        self._sign()
        from spark_mode.session.compose_projects import read_projects
        from spark_mode.session.prefetch import ask_compose

        try:
            asked = ask_compose(find_lab(self.flags, os.environ, here()))
            return read_projects(asked.compose, lambda files: files.project_name, is_needed=True).project
        except SparkModeError:
            return None

    def modes(self) -> "dict[str, KnownMode]":
        """Return the modes of the lab by name, each of which is a verb; none where there is no lab that can be read."""
        from spark_mode.session.known_modes import known_modes

        try:
            found = known_modes(Path(find_rules(self.flags, os.environ, here())))
            return {one.name: one for one in found if one.name not in VERBS}
        except SparkModeError:
            return {}

    def names(self) -> dict[str, str]:
        """Return names of the lab for examples, in capitals where there is none that can be read."""
        from spark_mode.session.known_modes import known_names

        names = {"mode": "MODE", "end": "MODE", "name": "NAME"}
        with suppress(SparkModeError):
            names |= known_names(Path(find_rules(self.flags, os.environ, here())))
        return names

    def screen(self, data: Any, text: Callable[[int | None], str]) -> None:
        """Print what there is to see of the lab: its JSON form, or the text of a width under a line that names the lab."""
        from spark_mode.cli.tables import terminal_width

        self.say(data, lambda: f"{self.lab}\n{text(terminal_width())}")

    def say(self, data: Any, text: Callable[[], str]) -> None:
        """Print a result that is words for people: its JSON form, or the text as a screen has it."""
        from spark_mode.cli.on_screen import on_screen

        self._print(data, lambda: on_screen(text(), sys.stdout))

    def show(self, data: Any, text: Callable[[], str]) -> None:
        """Print a result that is copied or read by programs: its JSON form, or the text that `text` makes, unbroken."""
        self._print(data, lambda: readable_lines(text()))

    @property
    def is_json(self) -> bool:
        """Whether programs read what is printed."""
        return self.format in ("json", "jsonl")

    def as_json(self, data: Any) -> str:
        """Return data as JSON; where events stand a line each, it is in a line, too."""
        return json.dumps(data, indent=2 if self.format == "json" else None)

    def _print(self, data: Any, text: Callable[[], str]) -> None:
        said = self.as_json(data) if self.is_json else text()
        self.sign.gone()
        try:
            click.echo(said)
        except BrokenPipeError:  # whoever reads has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            raise SparkModeError(f"the result cannot be written: {error.strerror}") from None
        self.printed = True


def output_options(command: Verb, formats: Sequence[str] = FORMATS[:2]) -> Verb:
    """Show --format and --quiet with the verb too; wherever they stand, they are read before it (`anywhere.py`)."""
    command = click.option("--format", type=click.Choice(formats), expose_value=False, help="How to print.")(command)
    return click.option("--quiet", is_flag=True, expose_value=False, help="No progress.")(command)


def event_options(command: Verb) -> Verb:
    """Show them with a verb that tells what happens as it happens."""
    return output_options(command, FORMATS)
