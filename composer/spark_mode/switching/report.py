"""What a switch is told, what it tells while it runs, and what it says at its end."""

from typing import Literal, Protocol

from spark_mode.frozen import Frozen
from spark_mode.planning.plan import Plan, Step, StoppedTraining


class SwitchOptions(Frozen):
    """How to switch. `wait_seconds` is how long to wait for the lock: 0 not at all, None without end.

    `hold` protects what then runs from other switches. `then` has what ran before come back when training has ended.
    `only_after` is the switch that must be the last one still.
    """

    wait_seconds: float | None = 0.0
    restore_on_failure: bool = True
    yes: bool = False
    hold: bool = False
    then: bool = False
    only_after: str | None = None


class Report(Frozen):
    """How a switch that succeeded ended; a failed one is an error. `mode` is judged by what is active, in seconds.

    `note` says what there is to say beside the mode: why nothing was done, or what a recovery did.
    """

    switch: str
    request: str
    outcome: Literal["applied", "unchanged", "recovered"]
    mode: str
    seconds: float
    steps: tuple[Step, ...] = ()
    note: str | None = None
    warnings: tuple[str, ...] = ()


class Watcher(Protocol):
    """Who follows a switch: a terminal, plain lines, or nobody."""

    def waiting(self, holder: str) -> None:
        """Another switch holds the lock; `holder` says who, since when and doing what."""

    def recovering(self, what: str) -> None:
        """A switch that was cut off is finished or undone first; `what` names it."""

    def planned(self, plan: Plan) -> None:
        """The plan under the lock, before its first step."""

    def started(self, number: int, step: Step) -> None:
        """A step begins."""

    def progress(self, available: int | None, note: str) -> None:
        """The running step goes on: the bytes available now, and what can be said, such as a service's last log line."""

    def finished(self, number: int, step: Step) -> None:
        """A step is done."""

    def warned(self, message: str) -> None:
        """Something that the user must know, such as a checkpoint that may be lost."""

    def signalled(self, what: str) -> None:
        """A signal came that is not acted on at once; called in its handler, whatever is being written at that moment."""

    def rolling_back(self, reason: str, steps: tuple[Step, ...]) -> None:
        """A step failed; these steps bring back what ran before, and are reported like the plan's."""


class Confirm(Protocol):
    """Asks the one question: whether to stop a training that runs. Returns the answer."""

    def __call__(self, training: tuple[StoppedTraining, ...]) -> bool:
        """Ask, and return True only for a clear yes."""
