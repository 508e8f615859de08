"""Starting side by side what takes no memory worth measuring: each as soon as what it needs is there, all awaited together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from spark_mode.engine.doors import ComposeFailed
from spark_mode.errors import StepFailed
from spark_mode.planning.completion import is_end_of
from spark_mode.planning.container import Container
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Start
from spark_mode.session.lab import Lab
from spark_mode.switching.last_look import require_clear_in
from spark_mode.switching.memory_watch import MemoryWatch
from spark_mode.switching.readiness import POLL_SECONDS, judge
from spark_mode.switching.two_sides import LOOK_SHARE

AT_ONCE = 20
"""How many start after one look: with more at once a signal, or another side, would be answered seconds later."""


class _Begun(NamedTuple):
    """A start that was asked for at a monotonic time."""

    step: Start
    at: float


@dataclass
class SideBySide:
    """Starts services beside each other, all of them ready in the end; `seen` is the last look, which found them so.

    `starting` is told of the steps that are about to be done. `tick` is called all the while, with what was just seen where there
    was a look, and says whether it stopped something. `fail` says how a service failed, and raises.
    """

    lab: Lab
    memory: MemoryWatch
    starting: Callable[[Sequence[Start]], None]
    tick: Callable[[bool, Observed | None], bool]
    progress: Callable[[int | None, str], None]
    fail: Callable[[str, str], NoReturn]
    first: dict[str, Container] = field(default_factory=dict)
    seen: Observed | None = None
    _waiting: dict[str, Start] = field(default_factory=dict)
    _begun: dict[str, _Begun] = field(default_factory=dict)
    _ready: set[str] = field(default_factory=set)
    _next_look: float = 0.0

    def run(self, steps: tuple[Start, ...]) -> None:
        """Start services and wait until all are ready; `first` is how each was seen then. Raises what `tick` and `fail` raise."""
        self._waiting = {step.service: step for step in steps}
        with self.lab.doors.docker.changes(*self.lab.project.names) as changes:
            while self._waiting or self._begun:
                if may_start := [step for step in self._waiting.values() if self._may_start(step)]:
                    self._start(may_start[:AT_ONCE])
                elif changes.wait(min(POLL_SECONDS, max(0.0, self._next_look - self._now()))) or self._now() >= self._next_look:
                    self._look()
                else:
                    self._watched(None)

    def _now(self) -> float:
        return self.lab.doors.clock.now()

    def _may_start(self, step: Start) -> bool:
        return all(other in self._ready or (how == "started" and other in self._begun) for other, how in step.after.items())

    def _start(self, steps: list[Start]) -> None:
        """Have some started, right after a look."""
        names, seen = tuple(step.service for step in steps), self._look()
        for name in names:
            require_clear_in(seen, name, self.lab.rules)
        self.memory.require(*steps)
        self.starting(steps)
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
            self._begun[step.service] = _Begun(self._waiting.pop(step.service), self._now())
        self._next_look = self._now() + min(step.settle_seconds for step in steps)

    def _watched(self, seen: Observed | None) -> bool:
        """Answer what may come meanwhile; return whether something was stopped for it."""
        try:
            ended = self.tick(False, seen)
            available = self.memory.above_floor() if self._begun else None
        except StepFailed as error:
            if not self._begun:
                raise
            self.fail(next(reversed(self._begun)), str(error))
        self.progress(available, f"{len(self._ready)} ready, {len(self._begun)} starting, {len(self._waiting)} to start")
        return ended

    def _look(self) -> Observed:
        """Look, and judge what was started. The next look comes at an event, or when something may have settled by then."""
        begun = self._now()
        seen = self.lab.observer.observe_running()
        took = self._now() - begun
        if self._watched(seen):
            seen = self.lab.observer.observe_running()
        self.seen = seen
        for service, one in list(self._begun.items()):
            self._judge(one, seen.container_of(service), self._now() - one.at)
        settled = (one.at + one.step.settle_seconds for one in self._begun.values())
        self._next_look = min(
            (at for at in settled if at > self._now()), default=self._now() + max(POLL_SECONDS, took * LOOK_SHARE)
        )
        return seen

    def _judge(self, begun: _Begun, now: Container | None, seconds: float) -> None:
        step = begun.step
        service = step.service
        if now is None:
            self.fail(service, "its container is gone")
        first = self.first.setdefault(service, now.model_copy(update={"restart_count": 0}))  # the engine counts from its start
        awaited = service in self.lab.project.awaited
        completes = step.completes and is_end_of(now, service, self.lab.project, self.lab.rules)
        judgement = judge(now, first, completes, seconds, awaited, step.settle_seconds)
        if judgement.verdict == "failed":
            self.fail(service, judgement.reason)
        if judgement.verdict == "ready":
            self._ready.add(service)
            del self._begun[service]
        elif seconds >= step.ready_seconds:
            self.fail(service, f"it was not ready within {step.ready_seconds:g} s")
