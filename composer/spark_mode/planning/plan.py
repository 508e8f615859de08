"""A plan is data: steps with their causes, the budget behind them, and what they cost. `str(plan)` has its own words."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from spark_mode.frozen import Frozen
from spark_mode.lab.few import few
from spark_mode.lab.joined import untold
from spark_mode.lab.size import gb
from spark_mode.planning.budget import Budget

Awaited = Literal["started", "ready"]
"""What must be true of a service before another one starts."""


LONG_SUBJECT, FEW = 72, 3
"""A subject of more characters is shown with so many of its names."""


class _Step(Frozen):
    subject: str
    cause: str

    def shown_in(self, projects: Mapping[str, str]) -> str:
        """Return the subject as people see it: with a few of many names, and the Compose project of each that tells none."""
        of = {one: untold(one, projects.get(one)) for one in self.subject.split(", ")}
        names = [f"{one} ({project})" if project else one for one, project in of.items()]
        return few(names, FEW) if len(self.subject) > LONG_SUBJECT else ", ".join(names)


class Create(_Step):
    """Create the containers of services that have no active one: bad files and missing images show up here.

    With `anew` those that are there are replaced, though Compose would keep them.
    """

    services: tuple[str, ...]
    variants: dict[str, str] = Field(default_factory=dict)
    anew: bool = False
    action: Literal["create"] = "create"


class Stop(_Step):
    """Stop a service with its own grace, through Compose where it has hooks to run, then every container left by id.

    Stops that follow each other go side by side, except that one comes `after` these services, which depend on it.
    """

    service: str | None
    containers: tuple[str, ...]
    by_compose: bool
    training: bool = False
    after: tuple[str, ...] = ()
    action: Literal["stop"] = "stop"


class Remove(_Step):
    """Remove the stopped container of a service, because another one is to be created with its name."""

    service: str
    container: str
    action: Literal["remove"] = "remove"


class Unload(_Step):
    """Have a host give a model's memory back, and see that it is gone, within so many seconds."""

    host: str
    model: str
    seconds: float = 30.0
    action: Literal["unload"] = "unload"


class DropCaches(_Step):
    """Have the kernel give back the page cache, which CUDA does not count as free."""

    action: Literal["drop-caches"] = "drop-caches"


class Load(_Step):
    """Have a host load a model, within so many seconds; Ollama's own limit for a load without progress is 300."""

    host: str
    model: str
    seconds: float = 300.0
    action: Literal["load"] = "load"


class AwaitRelease(_Step):
    """Wait until `required` bytes are available, and nothing stopped holds memory of the GPU any more."""

    required: int
    action: Literal["await-release"] = "await-release"


class Unpause(_Step):
    """Let a paused container of a wanted service go on, and wait until it is ready as after a start."""

    container: str
    service: str
    completes: bool = False
    ready_seconds: float = 1200.0
    action: Literal["unpause"] = "unpause"


class Start(_Step):
    """Start one service and wait until it is ready; not when fewer than `required` bytes are available by then.

    It goes through Compose only where Compose has more to do than to start the container (`by_compose`).
    `completes` says that exit 0 is success, because it runs until it is done. Without a health check it is ready once it has run
    for `settle_seconds`. Starts that follow each other and are `side_by_side` go together, each as soon as the services that it
    comes `after` are there.
    """

    service: str
    completes: bool
    ready_seconds: float
    by_compose: bool = False
    required: int = 0
    settle_seconds: float = 3.0
    side_by_side: bool = False
    after: dict[str, Awaited] = Field(default_factory=dict)
    action: Literal["start"] = "start"


class StartContainer(_Step):
    """Start a stopped container again by its id: the only way back for one that the Compose files do not know."""

    container: str
    action: Literal["start-container"] = "start-container"


class Run(_Step):
    """Have a plain command count as a workload, where nothing is seen beside which the rules keep it apart.

    Its process waits until the switch has ended. Not when fewer than `required` bytes are available by then.
    """

    workload: str
    class_: str
    size: int
    variant: str | None = None
    required: int = 0
    action: Literal["run"] = "run"


class Verify(_Step):
    """See with own eyes that the target is up, and that nothing that the rules exclude beside it is active.

    `unhealthy` are those that run, and are kept as they are, `completed` those that have ended well before; of the classes in
    `apart` nothing may be active.
    """

    services: tuple[str, ...]
    completes: tuple[str, ...]
    unhealthy: tuple[str, ...] = ()
    completed: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    action: Literal["verify"] = "verify"


Step = Create | Stop | Remove | Unload | DropCaches | AwaitRelease | Unpause | Start | StartContainer | Load | Run | Verify


class Preemption(Frozen):
    """A service or model that goes to admit the request.

    `exclusive` by the rule that is named; `mode`: the mode does not need it; `memory`: for the bytes that it `frees`.
    """

    name: str
    reason: Literal["exclusive", "mode", "memory"]
    rule: str | None = None
    frees: int | None = None

    def as_json(self) -> dict[str, object]:
        """Return the stable JSON form; sizes in GB."""
        found: dict[str, object] = {"name": self.name, "reason": self.reason, "rule": self.rule}
        return found if self.frees is None else {**found, "frees_gb": gb(self.frees)}


class Refusal(Frozen):
    """Why a request is not carried out, and what would help; `kind` decides the exit code.

    `memory` says that it is for want of memory, and `measured` that it is the memory which is really available that is
    not enough: who holds it is worth knowing.
    """

    message: str
    hint: str | None = None
    kind: Literal["rule", "configuration", "unknown"] = "rule"
    memory: bool = False
    measured: bool = False


class StoppedTraining(Frozen):
    """A running workload of class training that a plan stops; `since` is the engine's time, ISO 8601."""

    name: str
    service: str
    since: str


class Plan(Frozen):
    """What shall happen, in order, and why: made by the planner, carried out by the executor.

    `projects` are the Compose projects of the lab's services, where it has several. `target` are the services that shall be
    active, with all that they need, `target_models` the models that were asked for; `models` are all that count as admitted
    afterwards; `stopped_by_name` is what a stop means, whether it runs or not. What stays and
    what must go (`keep`, `preemptions`) is None where no engine was asked (`observed`). Where one was
    and there are no steps, `refusal` or `nothing_to_do` says why.
    """

    request: str
    observed: bool
    mode: str | None
    target: tuple[str, ...]
    keep: tuple[str, ...] | None
    preemptions: tuple[Preemption, ...] | None
    warnings: tuple[str, ...]
    steps: tuple[Step, ...]
    budget: Budget
    refusal: Refusal | None = None
    stops_training: tuple[StoppedTraining, ...] = ()
    target_models: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    variants: dict[str, str] = Field(default_factory=dict)
    stopped_by_name: tuple[str, ...] = ()
    nothing_to_do: str | None = None
    projects: dict[str, str] = Field(default_factory=dict)

    def warned(self, *notes: str) -> "Plan":
        """Return the plan with these warnings after its own."""
        return self.model_copy(update={"warnings": (*self.warnings, *notes)})

    @property
    def stops(self) -> bool:
        """Whether anything is stopped or unloaded."""
        return any(isinstance(step, Stop | Unload) for step in self.steps)

    def __str__(self) -> str:
        if self.refusal:
            return f"refused: {self.refusal.message}"
        if not self.observed:
            return "no engine was asked, so nothing is known of what runs; see the budget for what fits"
        return steps_text(self.steps, self.projects) if self.steps else f"nothing to do: {self.nothing_to_do}"

    def as_json(self) -> dict[str, object]:
        """Return the stable JSON form; sizes in GB."""
        return {
            "request": self.request,
            "observed": self.observed,
            "target": list(self.target),
            "keep": None if self.keep is None else list(self.keep),
            "preemptions": None if self.preemptions is None else [one.as_json() for one in self.preemptions],
            "warnings": list(self.warnings),
            "steps": steps_as_json(self.steps),
            "budget": self.budget.as_json(),
            "refusal": self.refusal.model_dump(exclude_none=True, exclude={"memory"}) if self.refusal else None,
            "nothing_to_do": self.nothing_to_do,
            "long_runs": [{"name": one.name, "since": one.since} for one in self.stops_training],
        } | ({"projects": self.projects} if self.projects else {})


def steps_as_json(steps: Iterable[Step]) -> list[dict[str, object]]:
    """Return the stable JSON form of steps."""
    return [
        {"id": number, "action": step.action, "subject": step.subject, "cause": step.cause}
        for number, step in enumerate(steps, 1)
    ]


def step_rows(steps: Iterable[Step], projects: Mapping[str, str] = MappingProxyType({})) -> list[tuple[str, str, str, str]]:
    """Return number, action, subject and cause of each step; `projects` are the Compose projects of services, of several."""
    return [(str(number), step.action, step.shown_in(projects), step.cause) for number, step in enumerate(steps, 1)]


def steps_text(steps: Iterable[Step], projects: Mapping[str, str] = MappingProxyType({})) -> str:
    """Write steps one a line: number, action, subject and cause in columns."""
    rows = step_rows(steps, projects)
    widths = [max(len(row[column]) for row in rows) for column in range(3)] if rows else []
    return "\n".join(
        f"{number:>{widths[0]}}  {action:<{widths[1]}}  {subject:<{widths[2]}}  {cause}"
        for number, action, subject, cause in rows
    )
