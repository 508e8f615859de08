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
from spark_mode.cli.emphasis import emphasised
from spark_mode.cli.on_screen import on_screen
from spark_mode.cli.sign import ERASE, Sign
from spark_mode.cli.step_rows import StepRows
from spark_mode.cli.tables import shortened_to, terminal_width
from spark_mode.errors import Interrupted
from spark_mode.lab.size import gb_text
from spark_mode.planning.plan import Plan, Step, StoppedTraining
from spark_mode.planning.step_words import action_said, subject_said
from spark_mode.readable import readable, readable_lines
from spark_mode.switching.watcher import Watcher
from spark_mode.wall_time import age, seconds_since

if TYPE_CHECKING:
    from rich.status import Status


class Lines(Watcher):
    """Plain lines on standard error: for logs and pipes. With `quiet` only what must be known."""

    _fresh_line = ""
    _is_told = False
    """Whether why the switch goes back was said at its step."""
    _projects: Mapping[str, str] = MappingProxyType({})

    def __init__(self, quiet: bool = False, sign: Sign | None = None) -> None:
        self._quiet = quiet
        self._sign = sign or Sign()
        self._out = cast(TextIO, BestEffortStream(sys.stderr))
        self._rows = StepRows()

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._settle()

    def names(self, lab: str) -> None:
        """Say which lab it is, and that it is looked at."""
        self._say(lab)
        if not self._quiet:
            self._sign.shown()

    def says(self, text: str) -> None:
        """Say how a first part ended, quiet or not."""
        self._print(text)

    def waiting(self, holder: str) -> None:
        self._say(f"waiting: {holder}")

    def recovering(self, what: str) -> None:
        self._say(f"recovering: {what}")

    def planned(self, plan: Plan) -> None:
        self._projects, self._rows = plan.projects, StepRows(plan.steps, plan.projects)
        for warning in plan.warnings:
            self._say(f"note: {warning}")

    def started(self, number: int, step: Step) -> None:
        _, action, subject, cause = self._rows.of(number, step)
        self._say(f"{number:>2}  {action:<7} {subject}: {cause}")

    def warned(self, message: str) -> None:
        self._print(f"WARNING: {readable(message)}")

    def signalled(self, what: str) -> None:
        with suppress(OSError):  # past the stream, which may be half-way through a line of its own
            os.write(self._out.fileno(), f"{self._fresh_line}{on_screen(what, sys.stderr)}\n".encode())

    def rolling_back(self, reason: str, steps: tuple[Step, ...]) -> None:
        self._rows = StepRows(steps, self._projects)
        if not self._is_told:
            self._print(f"not completed: {readable(reason.splitlines()[0])}")
        if steps:
            self._say("the way back:")

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._print(text)

    def _print(self, text: str) -> None:
        self._settle()
        click.echo(on_screen(text, sys.stderr), file=self._out)

    def _settle(self) -> None:
        """Leave nothing half-drawn before something else is written."""
        self._sign.gone()


class Screen(Lines):
    """A terminal: each finished step stays as a row of the plan, the running one lives below with time, memory and last words."""

    _fresh_line = ERASE

    def __init__(self, sign: Sign | None = None) -> None:
        super().__init__(sign=sign)
        from rich.console import Console  # only where somebody looks

        self._console = Console(file=self._out, highlight=False)
        self._status: Status | None = None
        self._running: dict[int, tuple[Step, float]] = {}

    def started(self, number: int, step: Step) -> None:
        self._running[number] = step, time.monotonic()
        self._line = f"{number:>2}  {action_said(step)} {subject_said(step, self._projects)}"
        self._settle()
        from rich.text import Text

        self._status = self._console.status(Text(self._cut(self._line)))
        try:
            self._status.start()
        except RuntimeError:  # there is no place for the thread that would draw it
            self._console.clear_live()
            self._console.show_cursor(True)
            self._status = None

    def progress(self, available: int | None, note: str) -> None:
        if self._status and self._running:
            from rich.text import Text

            free = "" if available is None else f"  {gb_text(available)} free"
            waited = time.monotonic() - max(begun for _, begun in self._running.values())
            self._status.update(Text(self._cut(readable(f"{self._line}  {waited:.0f} s{free}  {note}"))))

    def finished(self, number: int, step: Step) -> None:
        self._ended("✓", number, step)

    def failed(self, reason: str) -> None:
        """Leave the row of the step that failed, with its reason in the place of its cause."""
        if number := which_failed(reason, self._running):
            self._is_told, (step, _) = True, self._running[number]
            self._ended("✗", number, step, reason.splitlines()[0])
        self._running.clear()

    def _ended(self, mark: str, number: int, step: Step, reason: str | None = None) -> None:
        """Print the row of a step that has ended."""
        _, begun = self._running.pop(number, (step, time.monotonic()))
        text = self._rows.ended(mark, number, step, time.monotonic() - begun, terminal_width(sys.stderr), reason)
        self._settle()
        click.echo(emphasised(readable_lines(text), sys.stderr), file=self._out)

    def _cut(self, line: str) -> str:
        return shortened_to(line, self._console.width - 4)

    def _settle(self) -> None:
        super()._settle()
        if self._status:
            self._status.stop()
            self._status = None


def which_failed(reason: str, running: Mapping[int, tuple[Step, float]]) -> int:
    """Return the number of the step that a reason tells of: it names what it is about; else the last one that runs, else 0."""
    named = (number for number, (step, _) in running.items() if reason.startswith(f"{step.subject} "))
    return next(named, max(running, default=0))


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
