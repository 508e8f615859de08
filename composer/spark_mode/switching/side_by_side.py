"""Starting side by side what takes no memory worth measuring: each as soon as what it needs is there, all awaited together."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from spark_mode.engine.doors import ComposeFailed
from spark_mode.errors import StepFailed
from spark_mode.planning.observed import Container, Observed
from spark_mode.planning.plan import Start
from spark_mode.session.lab import Lab
from spark_mode.switching.last_look import require_all_clear
from spark_mode.switching.memory_watch import MemoryWatch
from spark_mode.switching.readiness import POLL_SECONDS, judge
from spark_mode.switching.two_sides import LOOK_SHARE

AT_ONCE = 8
"""How many start after one look: more at once take no less time, and a signal or another side would be answered later."""


class _Begun(NamedTuple):
    """A start that was asked for at a monotonic time."""

    step: Start
    at: float


@dataclass
class SideBySide:
    """Starts services beside each other, all of them ready in the end.

    `starting` is told what is about to start, `tick` is called all the while with whether something happened, `fail` says how a
    service failed, and raises.
    """

    lab: Lab
    memory: MemoryWatch
    starting: Callable[[tuple[str, ...]], None]
    tick: Callable[[bool], None]
    progress: Callable[[int | None, str], None]
    fail: Callable[[str, str], NoReturn]
    first: dict[str, Container] = field(default_factory=dict)
    _waiting: dict[str, Start] = field(default_factory=dict)
    _begun: dict[str, _Begun] = field(default_factory=dict)
    _ready: set[str] = field(default_factory=set)
    _next_look: float = 0.0

    def run(self, steps: tuple[Start, ...]) -> None:
        """Start services and wait until all are ready; `first` is how each was seen then. Raises what `tick` and `fail` raise."""
        self._waiting = {step.service: step for step in steps}
        with self.lab.doors.docker.changes(self.lab.project.name) as changes:
            while self._waiting or self._begun:
                if may_start := [step for step in self._waiting.values() if self._may_start(step)]:
                    self._start(may_start[:AT_ONCE])
                    self._goes_on(False)
                else:
                    happened = changes.wait(POLL_SECONDS)
                    self._goes_on(happened)
                    self._look(happened)

    def _may_start(self, step: Start) -> bool:
        return all(other in self._ready or (how == "started" and other in self._begun) for other, how in step.after.items())

    def _start(self, steps: list[Start]) -> None:
        """Have some started, right after a look."""
        names = tuple(step.service for step in steps)
        seen = require_all_clear(names, self.lab.observer, self.lab.rules)
        self.memory.require(*steps)
        self.starting(names)
        containers = {step.service: seen.container_of(step.service) for step in steps if not step.by_compose}
        ids = {found.id: name for name, found in containers.items() if found}
        for id_, reason in self.lab.doors.docker.start_all(ids).items():
            self.fail(ids[id_], reason)
        by_compose = [name for name in names if name not in ids.values()]
        try:
            if by_compose:
                self.lab.doors.compose.start(*by_compose)
        except ComposeFailed as error:
            running = self.lab.observer.observe_running().active_services
            self.fail(next((name for name in by_compose if name not in running), by_compose[0]), str(error))
        for step in steps:
            self._begun[step.service] = _Begun(self._waiting.pop(step.service), self.lab.doors.clock.now())

    def _goes_on(self, happened: bool) -> None:
        try:
            self.tick(happened)
            available = self.memory.above_floor()
        except StepFailed as error:
            self.fail(next(reversed(self._begun)), str(error))
        self.progress(available, f"{len(self._ready)} ready, {len(self._begun)} starting, {len(self._waiting)} to start")

    def _look(self, happened: bool) -> None:
        """Judge what was started, at every event, and else as often as looks take little of the time."""
        clock = self.lab.doors.clock
        now = clock.now()
        if not happened and now < self._next_look:
            return
        seen = Observed(containers=self.lab.doors.docker.containers(self.lab.project.name))
        self._next_look = now + (clock.now() - now) * LOOK_SHARE
        for service, begun in list(self._begun.items()):
            self._judge(begun, seen.container_of(service), clock.now() - begun.at)

    def _judge(self, begun: _Begun, now: Container | None, seconds: float) -> None:
        step = begun.step
        service = step.service
        if now is None:
            self.fail(service, "its container is gone")
        first = self.first.setdefault(service, now.model_copy(update={"restart_count": 0}))  # the engine counts from its start
        awaited = service in self.lab.project.awaited
        judgement = judge(now, first, step.completes, seconds, awaited, step.settle_seconds)
        if judgement.verdict == "failed":
            self.fail(service, judgement.reason)
        if judgement.verdict == "ready":
            self._ready.add(service)
            del self._begun[service]
        elif seconds >= step.ready_seconds:
            self.fail(service, f"it was not ready within {step.ready_seconds:g} s")
