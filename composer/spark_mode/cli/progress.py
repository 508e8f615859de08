"""A switch as it happens: on a terminal the steps with time and memory, elsewhere plain lines, or nothing at all."""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, TextIO, cast

import click

from spark_mode.cli.best_effort_stream import BestEffortStream
from spark_mode.cli.tables import age, terminal_width, within
from spark_mode.errors import Interrupted
from spark_mode.lab.size import gb_text
from spark_mode.planning.plan import Plan, Step, StoppedTraining
from spark_mode.readable import readable
from spark_mode.switching.report import Confirm
from spark_mode.switching.watcher import Watcher
from spark_mode.wall_time import seconds_since

if TYPE_CHECKING:
    from rich.status import Status

    from spark_mode.cli.context import CliOptions


class Lines(Watcher):
    """Plain lines on standard error: for logs and pipes. With `quiet` only what must be known."""

    _fresh_line = ""
    _projects: Mapping[str, str] = MappingProxyType({})

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._out = cast(TextIO, BestEffortStream(sys.stderr))
        self._begun = self._step_begun = time.monotonic()

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._settle()

    def names(self, lab: str) -> None:
        """Say which lab it is."""
        self._say(lab)

    def waiting(self, holder: str) -> None:
        self._say(f"waiting: {holder}")

    def recovering(self, what: str) -> None:
        self._say(f"recovering: {what}")

    def planned(self, plan: Plan) -> None:
        self._projects = plan.projects
        for warning in plan.warnings:
            self._say(f"note: {warning}")

    def started(self, number: int, step: Step) -> None:
        self._step_begun = time.monotonic()
        subject = step.shown_in(self._projects) if self._projects else step.subject
        self._say(f"{number:>2}  {step.action:<13} {subject}: {step.cause}")

    def warned(self, message: str) -> None:
        self._settle()
        click.echo(f"WARNING: {readable(message)}", file=self._out)

    def signalled(self, what: str) -> None:
        with suppress(OSError):  # past the stream, which may be half-way through a line of its own
            os.write(self._out.fileno(), f"{self._fresh_line}{readable(what)}\n".encode())

    def rolling_back(self, reason: str, steps: tuple[Step, ...]) -> None:
        self._settle()
        click.echo(f"not completed: {readable(reason.splitlines()[0])}", file=self._out)
        if steps:
            self._say("the way back:")

    def _say(self, line: str) -> None:
        if not self._quiet:
            click.echo(within(readable(line), terminal_width(sys.stderr)), file=self._out)

    def _settle(self) -> None:
        """Leave nothing half-drawn before something else is written."""


class Screen(Lines):
    """A terminal: each finished step stays as a line, the running one lives below with time, memory and last words."""

    _fresh_line = "\r\x1b[K"

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console  # only where somebody looks

        self._console = Console(file=self._out, highlight=False)
        self._status: Status | None = None

    def started(self, number: int, step: Step) -> None:
        self._step_begun = time.monotonic()
        self._line = f"{number:>2}  {step.action:<13} {step.shown_in(self._projects)}"
        self._settle()
        from rich.text import Text

        self._status = self._console.status(Text(f"{self._line}: {step.cause}"))
        try:
            self._status.start()
        except RuntimeError:  # there is no place for the thread that would draw it
            self._console.clear_live()
            self._console.show_cursor(True)
            self._status = None

    def progress(self, available: int | None, note: str) -> None:
        from rich.text import Text

        free = "" if available is None else f"  {gb_text(available)} free"
        waited = time.monotonic() - self._step_begun
        if self._status:
            self._status.update(Text(readable(f"{self._line}  {waited:.0f} s{free}  {note}")[: self._console.width - 4]))

    def finished(self, number: int, step: Step) -> None:
        self._settle()
        took = time.monotonic() - self._step_begun
        from rich.text import Text

        said = readable(f" {number:>2}  {step.action:<13} {step.shown_in(self._projects)}: {step.cause}")
        self._console.print(Text.assemble(("✓", "green"), said, (f"  {took:.1f} s", "dim")))

    def _settle(self) -> None:
        if self._status:
            self._status.stop()
            self._status = None


def watcher_for(cli_options: "CliOptions") -> tuple[Lines, Confirm | None]:
    """Return who follows a switch, and who answers the one question: nobody without a terminal."""
    terminal = BestEffortStream(sys.stderr).isatty()
    watcher = Screen() if terminal and not cli_options.quiet else Lines(cli_options.quiet)
    return watcher, ask if terminal and BestEffortStream(sys.stdin).isatty() else None


def ask(training: tuple[StoppedTraining, ...]) -> bool:
    """Ask on the terminal. The end of the input is a no. Raises Interrupted at Ctrl-C."""
    for one in training:
        since = seconds_since(one.since)
        click.echo(f"{one.name} has been running{f' for {age(since)}' if since is not None else ''}.", err=True)
    try:
        return click.confirm("Stop it? It is given the time to write its checkpoint.", default=False, err=True)
    except click.Abort as error:  # which is what click makes of both
        click.echo(err=True)
        if isinstance(error.__context__, EOFError):
            return False
        raise Interrupted("interrupted") from None
