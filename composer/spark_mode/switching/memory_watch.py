"""The machine's memory during a switch: waiting for what was stopped, watching what starts, naming who is in the way."""

from collections.abc import Callable
from dataclasses import dataclass, field

from spark_mode.errors import StepFailed
from spark_mode.lab.size import gb_text
from spark_mode.planning.plan import AwaitRelease, Run, Start
from spark_mode.session.lab import Lab
from spark_mode.session.memory_users import find_memory_users, memory_users_text
from spark_mode.switching.attempt import Attempt
from spark_mode.switching.gauge import Gauge

POLL_SECONDS = 0.1


class NotReleased(StepFailed):
    """The memory did not come back in time."""


@dataclass
class MemoryWatch:
    """Follows the memory through the steps of one switch; `gauge` has what the starts took.

    `tick` is called at each look; what it raises ends the wait.
    """

    lab: Lab
    attempt: Attempt
    tick: Callable[[], object]
    _stopped_on_gpu: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.doors = self.lab.doors
        self.gauge = Gauge(self.doors.docker, self.doors.machine, self.doors.gpu, self.lab.rules)

    def stopping(self, containers: tuple[str, ...]) -> None:
        """Remember which processes of these containers the GPU lists: they must be gone before anything starts."""
        listed = self.doors.gpu.processes() or ()
        found = (one.pid for one in listed if (seen := self.doors.machine.process(one.pid)) and seen.container in containers)
        self._stopped_on_gpu |= set(found)

    def await_release(self, step: AwaitRelease, patience: float | None) -> None:
        """Wait until the memory is back. Raises NotReleased after `patience` seconds, None: what rules.yaml says."""
        begun = self.doors.clock.now()
        patience = self.lab.rules.limits.release_seconds if patience is None else patience
        while lack := self._not_released(step.required):
            self.tick()
            if self.doors.clock.now() - begun >= patience:
                raise NotReleased(f"{lack}, after {patience:g} s of waiting. Nothing was started.\n{self._memory_users()}")
            self.attempt.watcher.progress(self.doors.machine.memory().available, f"waiting for {gb_text(step.required)}")
            self.doors.clock.sleep(POLL_SECONDS)

    def _not_released(self, required: int) -> str | None:
        """Return what is still missing before anything may start."""
        available = self.doors.machine.memory().available
        if available is not None and available < required:
            return f"{gb_text(required)} must be free and {gb_text(available)} are"
        if self._stopped_on_gpu:
            left = self._stopped_on_gpu & {one.pid for one in self.doors.gpu.processes() or ()}
            if left:
                return f"the GPU still lists what was stopped: process {', '.join(map(str, sorted(left)))}"
        return None

    def _memory_users(self) -> str:
        seen = self.lab.observer.observe_running(all_hosts=True)
        found = find_memory_users(self.doors.docker, self.doors.machine, self.doors.gpu, seen)
        return memory_users_text(found, seen.memory)

    def require(self, *steps: Start | Run) -> None:
        """Raise StepFailed when too little is left for starts, alone or side by side: somebody took it since the release."""
        available, floor = self.doors.machine.memory().available, self.lab.rules.limits.floor
        required = floor + sum(step.required - floor for step in steps)
        if available is not None and available < required:
            verb = "needs" if len(steps) == 1 else "need"
            names = ", ".join(step.subject for step in steps)
            needs = f"{names} {verb} {gb_text(required)} with the floor, and {gb_text(available)} are left by now"
            raise StepFailed(f"{needs}. {self._memory_users()}")

    def above_floor(self) -> int | None:
        """Return the available memory. Raises StepFailed when it is under the floor."""
        available, floor = self.doors.machine.memory().available, self.lab.rules.limits.floor
        self.gauge.sample(available)
        if available is not None and available < floor:
            raise StepFailed(f"only {gb_text(available)} of memory are left, under the floor of {gb_text(floor)}")
        return available
