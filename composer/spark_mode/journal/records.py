"""What a switch writes down: a record for each thing that it means to do, has done, or owes."""

from typing import Annotated, Literal

from pydantic import Field

from spark_mode.frozen import Frozen
from spark_mode.journal.state import State
from spark_mode.planning.job import Job
from spark_mode.planning.observed import Hold, Observed
from spark_mode.planning.plan import Step
from spark_mode.planning.request import Request

VERSION = 1
"""Of the records that this release writes. It is raised with what an earlier release must not pass over: that one then
says that it does not understand them. Those of the first journals carry none, and are of version 1."""
Outcome = Literal[
    "applied", "unchanged", "refused", "rolled-back", "failed", "interrupted", "recovered", "enforced", "warned", "ended"
]
"""How a request ended; `enforced` and `warned` are stops for a rule or for memory, done or not, `ended` is a command's end."""
AnyStep = Annotated[Step, Field(discriminator="action")]


class Recorded(Frozen):
    """What all records have: the version of their kind."""

    version: int = Field(default=VERSION, ge=1, le=VERSION)


class Began(Recorded):
    """A switch begins: what was asked, by whom, from what, and with which inputs (SHA-256 by file).

    `hold` and `then` are part of what was asked: that it is held once it runs, and that what ran before comes back when its
    training ends. `job` is that of a queue, which holds it.
    `replaced` was to come back, and is not started, as this has no place for it. `projects` are the Compose
    projects of the lab's services, where it has several.
    """

    kind: Literal["began"] = "began"
    switch: str
    at: str
    by: str
    request: Request
    steps: tuple[AnyStep, ...]
    before: Observed
    restore: bool
    inputs: dict[str, str]
    hold: bool = False
    job: Job | None = None
    then: bool = False
    replaced: tuple[str, ...] = ()
    projects: dict[str, str] = Field(default_factory=dict)


class Recovering(Recorded):
    """A recovery of a switch begins; it may itself be cut off."""

    kind: Literal["recovering"] = "recovering"
    switch: str
    at: str
    by: str


class StepBegun(Recorded):
    """The intent of one step, before its effect."""

    kind: Literal["step"] = "step"
    switch: str
    step: AnyStep


class StepEnded(Recorded):
    """The step that began last has ended: it is done, or `failed` says why it is not.

    Of steps that went side by side each ends with the `service` that it was about.
    """

    kind: Literal["step-ended"] = "step-ended"
    switch: str
    service: str | None = None
    failed: str | None = None


class GoingBack(Recorded):
    """The switch has given up what was asked for: whatever step follows belongs to the way back."""

    kind: Literal["going-back"] = "going-back"
    switch: str
    reason: str


class Signalled(Recorded):
    """A signal came: at the first one the switch turns back, at a second one (`at_once`) it leaves everything as it is."""

    kind: Literal["signalled"] = "signalled"
    switch: str
    at_once: bool


class Policy(Recorded):
    """A container's own restart policy, which it is owed while it has `no`; `given_back` ends that."""

    kind: Literal["policy"] = "policy"
    container: str
    service: str | None
    policy: str
    retries: int = 0
    given_back: bool = False


class Held(Recorded):
    """Everything that is held from now on."""

    kind: Literal["held"] = "held"
    holds: tuple[Hold, ...]


class RestoreAfter(Recorded):
    """When the training of this switch ends, what ran before it comes back: a guard sees to it. None: nothing does.

    `owed` says that whoever switches next sees to it as well, before anything else: after a plain command.
    """

    kind: Literal["then"] = "then"
    switch: str | None
    owed: bool = False


class Ended(Recorded):
    """How a request ended, and the state that it leaves; None leaves the state as it was. `at` is when it began.

    `keeps` says that what is to come back after a training still is.
    """

    kind: Literal["ended"] = "ended"
    switch: str
    at: str
    by: str
    request: str
    outcome: Outcome
    seconds: float
    note: str | None = None
    state: State | None = None
    keeps: bool = False


class PassedOver(Recorded):
    """Somebody said that what could not be understood before counts no more, and no switch is unfinished: `count` records."""

    kind: Literal["passed-over"] = "passed-over"
    at: str
    by: str
    count: int


class Snapshot(Recorded):
    """What is in force of records that are no longer there; the first record of a file."""

    kind: Literal["carried"] = "carried"
    policies: tuple[Policy, ...]
    holds: tuple[Hold, ...]
    state: State
    then: str | None = None
    owed: bool = False
    ended_by: str | None = None
    last_change: str | None = None


Record = (
    Began
    | Recovering
    | StepBegun
    | StepEnded
    | GoingBack
    | Signalled
    | Policy
    | Held
    | RestoreAfter
    | Ended
    | PassedOver
    | Snapshot
)
