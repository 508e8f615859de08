"""A switch as it happens, for programs: each event an object of JSON on a line of standard output (`--format jsonl`).

Whoever reads may go away: the switch goes on.
"""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from spark_mode.cli.best_effort_stream import BestEffortStream
from spark_mode.cli.progress import Lines, which_failed
from spark_mode.journal.records import Outcome
from spark_mode.lab.size import gb
from spark_mode.planning.digest import digest_of
from spark_mode.planning.plan import Plan, Step, steps_as_json
from spark_mode.wall_time import now

if TYPE_CHECKING:
    from spark_mode.cli.context import CliOptions

PROGRESS_SECONDS = 1.0
"""How often at most a step that goes on is told of."""


class Events(Lines):
    """Writes events. With `--quiet` only warnings; how it ended is the result, and is written where results are.

    `clock` gives seconds.
    """

    def __init__(self, cli_options: "CliOptions", out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(cli_options.quiet, cli_options.sign)
        self._cli_options, self._events, self._clock = cli_options, BestEffortStream(out), clock
        self._begun: dict[int, tuple[Step, float]] = {}
        self._told: tuple[float, object] = (0.0, None)

    def names(self, lab: str) -> None:
        """The lab is in nobody's sight here: who asked knows it."""

    def says(self, text: str) -> None:
        self._event("said", message=text)

    def waiting(self, holder: str) -> None:
        self._event("waiting", message=holder)

    def recovering(self, what: str) -> None:
        self._event("recovering", message=what)

    def planned(self, plan: Plan) -> None:
        self._event(
            "planned",
            request=plan.request,
            digest=digest_of(plan),
            target=plan.target,
            warnings=plan.warnings,
            steps=steps_as_json(plan.steps),
        )

    def admitted(self) -> None:
        self._event("admitted")

    def started(self, number: int, step: Step) -> None:
        self._begun[number] = step, self._clock()
        self._event("started", step=number, action=step.action, subject=step.subject, cause=step.cause)

    def progress(self, available: int | None, note: str) -> None:
        """Say it where something is another than was said last, and not more often than there is somebody to read it."""
        at, former = self._told
        free = None if available is None else gb(available)
        said: dict[str, object] = {"step": max(self._begun, default=None), "available_gb": free, "note": note}
        if said != former and self._clock() - at >= PROGRESS_SECONDS:
            self._told = self._clock(), said
            self._event("progress", **said)

    def finished(self, number: int, step: Step) -> None:
        self._step_ended("finished", number, step)

    def failed(self, reason: str) -> None:
        if number := which_failed(reason, self._begun):
            self._step_ended("failed", number, self._begun[number][0], reason=reason)
        self._begun.clear()

    def warned(self, message: str) -> None:
        self._write("warned", message=message)

    def rolling_back(self, reason: str, steps: tuple[Step, ...]) -> None:
        self._event("rolling-back", reason=reason, steps=steps_as_json(steps))

    def ended(self, outcome: Outcome) -> None:
        self._cli_options.outcome = outcome

    def _step_ended(self, event: str, number: int, step: Step, **more: str) -> None:
        _, begun = self._begun.pop(number, (step, self._clock()))
        seconds = round(self._clock() - begun, 3)
        self._event(event, step=number, action=step.action, subject=step.subject, seconds=seconds, **more)

    def _event(self, event: str, **more: object) -> None:
        if not self._quiet:
            self._write(event, **more)

    def _write(self, event: str, **more: object) -> None:
        self._sign.gone()
        self._events.write(f"{json.dumps({'event': event, 'at': now(), **more})}\n")
        self._events.flush()
