"""What a switch is told, and what it says at its end."""

from typing import Literal, Protocol

from spark_mode.frozen import Frozen
from spark_mode.planning.job import Job
from spark_mode.planning.plan import Step, StoppedTraining


class SwitchOptions(Frozen):
    """How to switch. `wait_seconds` is how long to wait for the lock: 0 not at all, None without end.

    `hold` protects what then runs from other switches, for a `job` of a queue where there is one.
    `then` has what ran before come back when training has ended.
    `only_after` is the switch that must be the last one still: this one follows it by itself, and nobody is asked.
    `why` is what the history says of it. `expect` is the digest of the plan that was agreed to: no other one is carried out.
    """

    wait_seconds: float | None = 0.0
    restore_on_failure: bool = True
    yes: bool = False
    no_input: bool = False
    hold: bool = False
    job: Job | None = None
    then: bool = False
    only_after: str | None = None
    why: str | None = None
    expect: str | None = None


class Report(Frozen):
    """How a switch that succeeded ended; a failed one is an error. `mode` is judged by what is active, in seconds.

    `note` says what there is to say beside the mode: why nothing was done, or what a recovery did. `target` are the services
    that were asked for, with all that they need, `kept` those that run on beside them. `switch` is the id of what was done.
    """

    request: str
    outcome: Literal["applied", "unchanged", "recovered"]
    mode: str
    seconds: float
    steps: tuple[Step, ...] = ()
    note: str | None = None
    warnings: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    switch: str | None = None


class Confirm(Protocol):
    """Asks the one question: whether to stop a training that runs. Returns the answer."""

    def __call__(self, training: tuple[StoppedTraining, ...]) -> bool:
        """Ask, and return True only for a clear yes."""
