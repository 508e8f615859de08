"""Carrying out steps: one action of the engine each, or several side by side, with a fresh look before anything starts.

It never trusts a command's exit code about a container's state, and never starts a service before it has seen that
nothing which a rule excludes beside it is active.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn, assert_never

from spark_mode.engine.doors import ComposeFailed, StartFailed
from spark_mode.errors import StepFailed
from spark_mode.journal.measurements import Measurement
from spark_mode.planning.completion import has_ended, is_end_of
from spark_mode.planning.container import Container
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import (
    AwaitRelease,
    Create,
    DropCaches,
    Load,
    Remove,
    Run,
    Start,
    StartContainer,
    Step,
    Stop,
    Unload,
    Unpause,
    Verify,
)
from spark_mode.planning.side_by_side import SETTLE_SECONDS, together
from spark_mode.planning.steps import READY_SECONDS
from spark_mode.session.lab import Lab
from spark_mode.switching.attempt import Attempt
from spark_mode.switching.checkpoint import lost_checkpoint
from spark_mode.switching.commanding import hold_machine
from spark_mode.switching.creating import create, remove
from spark_mode.switching.hosted import HostedModels
from spark_mode.switching.interruption import Interruption
from spark_mode.switching.last_look import require_clear, require_clear_in
from spark_mode.switching.memory_watch import MemoryWatch
from spark_mode.switching.readiness import Judgement, await_ready, described, judge, remark_on
from spark_mode.switching.restart_policies import RestartPolicies
from spark_mode.switching.side_by_side import SideBySide
from spark_mode.switching.two_sides import TwoSides

STOP_MARGIN_SECONDS = 15
FAILED_GRACE_SECONDS = 2
"""What a failed start is given between SIGTERM and SIGKILL: it has nothing to save."""
LAST_LINES = 5


@dataclass
class Executor:
    """Carries out the steps of one plan, or of one rollback. `touched` says whether anything was stopped or started.

    `started` are the services that this switch started: one of them that fails is stopped. `completed` are those of them that
    have ended by themselves as they should, with their containers. `awaits` is what the running
    step waits for, in words. `sides` ends it when two that a rule keeps apart are active together.
    `patience` is how many seconds the release of memory may take; None is what rules.yaml says. `seen` is what was seen at the
    end, where the steps end with such a look.
    """

    lab: Lab
    attempt: Attempt
    interruption: Interruption
    touched: bool = False
    awaits: str = ""
    patience: float | None = None
    started: set[str] = field(default_factory=set)
    completed: dict[str, str] = field(default_factory=dict)
    seen: Observed | None = None
    _ready: set[str] = field(default_factory=set)
    _since: dict[str, float] = field(default_factory=dict)
    _first: dict[str, Container] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._doors, self._observer, self._rules = self.lab.doors, self.lab.observer, self.lab.rules
        self._memory = MemoryWatch(self.lab, self.attempt, self._tick)
        self._policies = RestartPolicies(self._doors.docker, self.attempt)
        self.sides = TwoSides(self.lab, self.attempt)
        self._models = HostedModels(self.lab, self._memory)
        self._has_daemons = any(self._rules.daemon(name) for name in self._rules.hosts)  # what their clients load is unloaded

    @property
    def measured(self) -> tuple[Measurement, ...]:
        """What the starts that settled were seen to take."""
        return tuple(self._memory.gauge.taken)

    def run(self, steps: tuple[Step, ...], first: int = 1) -> None:
        """Carry out steps in order; the first one has this number.

        Raises StepFailed, Interrupted between and during waits, EngineUnavailable when the state of things is unknown,
        NeedsAttention when two exclusive sides are seen active and neither is this lab's to stop.
        """
        verified = (name for step in steps if isinstance(step, Verify) for name in step.services)
        self.sides.kept = (*verified, *(step.subject for step in steps if isinstance(step, Load)))
        if any(step.action == "create" or (isinstance(step, (Start, Stop)) and step.by_compose) for step in steps):
            self._doors.compose.prepare()
        number, seen = first, None
        for beside in together(steps):
            if not any(isinstance(step, Create | Stop | Remove | Unload) for step in beside):  # which has gone by now
                self.sides.coming = tuple(step.service for step in steps if isinstance(step, Start))
            self._tick(hint=self._has_daemons and any(isinstance(step, Start) for step in beside))
            self.awaits = ""
            with self.attempt.steps(number, beside):
                seen = self._carry_out(beside, seen)
            number += len(beside)

    def _tick(self, hint: bool = False, seen: Observed | None = None) -> bool:
        """Whatever a step waits for: answer a signal, show progress, and end it when two sides are active together.

        It looks by itself where it is not given what was `seen`. Returns whether it has stopped something.
        """
        self.interruption.check()
        if self.attempt.lock:
            self.attempt.lock.goes_on()
        ended = self.sides.end(hint) if seen is None else self.sides.end_in(seen.without(self.sides.leaving, ()))
        for one in ended:
            if one.service in self.started or one.service in self.sides.kept:
                self.touched = True
                raise StepFailed(f"{one.service} was stopped: {one.cause}")
        return bool(ended)

    def _carry_out(self, steps: tuple[Step, ...], seen: Observed | None) -> Observed | None:
        """Carry out a step, or several that go side by side, right after the look that the step before ended with, if it did.

        Returns the look that these end with.
        """
        if stops := tuple(step for step in steps if isinstance(step, Stop)):
            self._stop(stops)
        elif len(starts := tuple(step for step in steps if isinstance(step, Start))) > 1:
            return self._start_beside(starts)
        else:
            self._do(steps[0], seen)
        return None

    def _do(self, step: Step, seen: Observed | None) -> None:  # noqa: C901, PLR0912 - one branch for each kind of step
        match step:
            case Create():
                create(step, self.lab)
            case Stop():
                self._stop((step,))
            case Remove():
                remove(step, self._doors.docker)
            case Unload():
                self.touched = True
                self._models.unload(step)
            case DropCaches():
                self._doors.machine.drop_caches()
            case AwaitRelease():
                self._memory.await_release(step, self.patience)
            case Unpause():
                self._unpause(step)
            case Start():
                self._start(step)
            case StartContainer():
                self._start_container(step)
            case Load():
                self.touched = True
                self._models.load(step)
            case Run():
                self._memory.require(step)
                hold_machine(step, self.lab, self.attempt)
            case Verify():
                self._verify(step, seen or self._observer.observe_running())
            case _:
                assert_never(step)

    def _stop(self, steps: tuple[Stop, ...]) -> None:
        """Stop services side by side, each with its own grace, and see that they have ended."""
        found = {one.id: one for one in self._doors.docker.those([id_ for step in steps for id_ in step.containers])}
        self._memory.stopping(tuple(found))
        self.touched = True
        self._policies.disarm(*found.values())
        grace = max((one.stop_seconds for one in found.values()), default=10)
        self.awaits = f"it has up to {grace} s to end" if len(steps) == 1 else f"they have up to {grace} s each to end"
        if steps[0].by_compose and steps[0].service:
            try:
                self._doors.compose.stop(steps[0].service, grace + STOP_MARGIN_SECONDS)
            except ComposeFailed as error:
                self.attempt.warned(f"Compose did not stop {steps[0].service}, so it is stopped by its id: {error}")
        self._stop_by_id(steps, found)
        long_runs = {id_ for step in steps if step.training for id_ in step.containers}
        ended = self._doors.docker.those(tuple(found))
        for lost in (lost for one in ended if one.id in long_runs and (lost := lost_checkpoint(one))):
            self.attempt.warned(lost)
        if left := [f"{one.name} is still {one.state} after its stop" for one in ended if one.active]:
            raise StepFailed("\n".join(left))

    def _stop_by_id(self, steps: tuple[Stop, ...], found: dict[str, Container]) -> None:
        if steps[0].by_compose:  # which has stopped them by now
            found = {id_: one for id_ in found if (one := self._doors.docker.container(id_))}
        graces = {id_: one.stop_seconds for id_, one in found.items() if one.active}
        of = {step.service: [id_ for id_ in step.containers if id_ in graces] for step in steps if step.service}
        after = {id_: [other for name in step.after for other in of.get(name, ())] for step in steps for id_ in step.containers}
        if graces:
            self._doors.docker.stop_all(graces, after)

    def _start_container(self, step: StartContainer) -> None:
        seen = self._observer.observe_running()
        service = next((one.service for one in seen.containers if one.id == step.container), None)
        require_clear_in(seen, service or "", self._rules)
        self.touched = True
        self.attempt.begins(step)
        try:
            self._doors.docker.start(step.container)
        except StartFailed as error:
            raise StepFailed(f"{step.subject} did not start: {error}") from None
        if (now := self._doors.docker.container(step.container)) and now.state == "running":
            self._policies.give_back(now)

    def _unpause(self, step: Unpause) -> None:
        require_clear(step.service, self._observer, self._rules)
        self.touched = True
        self.attempt.begins(step)
        self._doors.docker.unpause(step.container)
        self._await_ready(step.service, step.completes, step.ready_seconds)

    def _start_beside(self, steps: tuple[Start, ...]) -> Observed | None:
        beside = SideBySide(self.lab, self._memory, self._starting, self._tick, self.attempt.watcher.progress, self._fail)
        beside.run(steps)
        self._ready.update(beside.first)
        self._first |= beside.first
        return beside.seen

    def _starting(self, steps: Sequence[Start]) -> None:
        self.touched = True
        self.started.update(step.service for step in steps)
        self.attempt.begins(*steps)

    def _start(self, step: Start) -> None:
        container = require_clear(step.service, self._observer, self._rules).container_of(step.service)
        self._memory.require(step)
        self._starting([step])
        self._memory.gauge.begin()
        try:
            if step.by_compose or container is None:
                self._doors.compose.start(step.service)
            else:
                self._doors.docker.start(container.id)
        except (ComposeFailed, StartFailed) as error:
            self._fail(step.service, str(error))
        self._memory.gauge.settle(self._await_ready(step.service, step.completes, step.ready_seconds, step.settle_seconds))

    def _verify(self, step: Verify, seen: Observed) -> None:
        if self._await_rest(step, seen) or self._tick(seen=seen):
            self._tick(hint=True)
            seen = self._observer.observe_running()
        self.sides.require_one(seen, self.started)
        self.seen = seen
        up = [(service, container) for service, container in self._each(seen, step.services) if container]
        self._policies.give_back(*(container for _, container in up))
        for service, container in up:
            if service in self.started and has_ended(service, seen, self.lab.project, self._rules):
                self.completed[service] = container.id
            elif remark := remark_on(container, service in step.unhealthy, service in self.started):
                self.attempt.warned(f"{service} {remark}: docker logs {container.name}")

    def _await_rest(self, step: Verify, seen: Observed) -> bool:
        """Wait for what is kept and was not ready yet; return whether something was."""
        waited = False
        for service, container in self._each(seen, step.services):
            completes = service in step.completes
            first = self._first.get(service, container)
            judgement = self._judged(container, first, completes, service) if container and first else None
            if judgement and judgement.verdict == "failed" and service in self._first:
                self._fail(service, judgement.reason)  # what settled briefly was to go on
            is_kept = container and container.health == "unhealthy" and service not in self._ready
            if not is_kept and (judgement is None or judgement.verdict != "ready"):
                self._await_ready(service, completes, READY_SECONDS)
                waited = True
        return waited

    def _judged(self, container: Container, first: Container, completes: bool, service: str) -> Judgement:
        """Judge what has run for a while."""
        may_end = completes and is_end_of(container, service, self.lab.project, self._rules)
        return judge(container, first, may_end, SETTLE_SECONDS, service in self.lab.project.awaited)

    def _each(self, seen: Observed, services: Iterable[str]) -> Iterator[tuple[str, Container | None]]:
        """Yield each container that services should have, None for one that they do not have."""
        for service in services:
            known = self.lab.project.services.get(service)
            count = known.replicas if known else 1
            found = seen.replicas_of(service, count)
            yield from ((service, one) for one in (*found, *[None] * (count - len(found))))

    def _await_ready(self, service: str, completes: bool, bound: float, settle: float = SETTLE_SECONDS) -> Container:
        """Wait until each container of a service is ready, and return the first of them."""
        seen = self._observer.observe_running()
        first, *others = [one for _, one in self._each(seen, [service])]
        found = self._await(service, first, completes, bound, settle)
        for one in others:
            self._await(service, one, completes, bound, settle)
        return found

    def _await(self, service: str, found: Container | None, completes: bool, bound: float, settle: float) -> Container:
        if found is None:
            self._fail(service, "its container is gone")
        docker, machine, starting = self._doors.docker, self._doors.machine, service in self.started
        self._since[service] = found.started_seconds
        may_end = completes and is_end_of(found, service, self.lab.project, self._rules)
        said = -1

        def tick(waited: float, happened: bool) -> None:
            nonlocal said
            self._tick(happened)
            available = self._memory.above_floor() if starting else machine.memory().available
            if int(waited) > said:
                said = int(waited)
                self.attempt.watcher.progress(available, " ".join(docker.last_lines(found.id, 1, found.started_seconds)))

        try:
            with docker.changes(*self.lab.project.names) as changes:
                awaited = service in self.lab.project.awaited
                look, clock = partial(docker.container, found.id), self._doors.clock
                end = await_ready(look, found, may_end, awaited, bound, clock, changes, tick, settle)
        except StepFailed as error:
            self._fail(service, str(error))
        if end.verdict == "failed":
            self._fail(service, end.reason)
        self._ready.add(service)
        return found

    def _fail(self, service: str, reason: str) -> NoReturn:
        """Say how a service was last seen, stop it if this switch started it, and fail."""
        found = [container for _, container in self._each(self._observer.observe_running(), [service]) if container]
        container = next((one for one in found if not one.active), found[0] if found else None)
        message = f"{service} {'did not start' if service in self.started else 'is not ready'}: {reason}"
        if container is not None:
            message += f"\n  last state: {described(container)}"
            since = self._since.get(service, container.started_seconds)  # not what it wrote when it ran before
            message += "".join(f"\n  log: {line}" for line in self._doors.docker.last_lines(container.id, LAST_LINES, since))
        for one in found:
            if one.active and service in self.started:
                self._policies.disarm(one)
                self._doors.docker.stop(one.id, FAILED_GRACE_SECONDS)
        raise StepFailed(message)
