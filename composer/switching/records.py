"""What a switch writes down: a record for each thing that it means to do, has done, or owes."""

from typing import Annotated, Literal

from pydantic import Field

from composer.frozen import Frozen
from composer.planning.observed import Hold, Observed
from composer.planning.plan import Step
from composer.planning.request import Request
from composer.switching.state import State

Outcome = Literal["applied", "unchanged", "refused", "rolled-back", "failed", "interrupted", "recovered", "enforced", "warned"]
"""How a request ended; `enforced` and `warned` are the guard's."""
AnyStep = Annotated[Step, Field(discriminator="action")]


class Began(Frozen):
    """A switch begins: what was asked, by whom, from what, and with which inputs (SHA-256 by file)."""

    kind: Literal["began"] = "began"
    switch: str
    at: str
    by: str
    request: Request
    steps: tuple[AnyStep, ...]
    before: Observed
    restore: bool
    inputs: dict[str, str]


class Recovering(Frozen):
    """A recovery of a switch begins; it may itself be cut off."""

    kind: Literal["recovering"] = "recovering"
    switch: str
    at: str
    by: str


class StepBegun(Frozen):
    """The intent of one step, before its effect."""

    kind: Literal["step"] = "step"
    switch: str
    step: AnyStep


class StepEnded(Frozen):
    """The step that began last is done, or failed for a reason."""

    kind: Literal["step-ended"] = "step-ended"
    switch: str
    failed: str | None = None


class GoingBack(Frozen):
    """From now on the switch brings back what ran before."""

    kind: Literal["going-back"] = "going-back"
    switch: str
    reason: str


class Signalled(Frozen):
    """A signal was answered; `at_once` is the second one, after which nothing more was done."""

    kind: Literal["signalled"] = "signalled"
    switch: str
    at_once: bool


class Policy(Frozen):
    """A container's own restart policy, which it is owed while it has `no`; `given_back` ends that."""

    kind: Literal["policy"] = "policy"
    container: str
    service: str | None
    policy: str
    retries: int = 0
    given_back: bool = False


class Held(Frozen):
    """Everything that is held from now on."""

    kind: Literal["held"] = "held"
    holds: tuple[Hold, ...]


class Then(Frozen):
    """When the training of this switch ends, what ran before it comes back: the guard sees to it."""

    kind: Literal["then"] = "then"
    switch: str


class Ended(Frozen):
    """How a request ended, and the state that it leaves; None leaves the state as it was. `at` is when it began."""

    kind: Literal["ended"] = "ended"
    switch: str
    at: str
    by: str
    request: str
    outcome: Outcome
    seconds: float
    note: str | None = None
    state: State | None = None


class Carried(Frozen):
    """What is still owed from records that were rotated away; the first record of a file."""

    kind: Literal["carried"] = "carried"
    policies: tuple[Policy, ...]
    holds: tuple[Hold, ...]
    state: State
    then: str | None = None


Record = Began | Recovering | StepBegun | StepEnded | GoingBack | Signalled | Policy | Held | Then | Ended | Carried
