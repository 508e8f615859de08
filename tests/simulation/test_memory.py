"""Memory during a switch, on a simulated machine and its own clock: waited for, not believed, and never for ever."""

import pytest

from spark_mode.engine.doors import GpuProcess, Process
from spark_mode.errors import NeedsAttention, SwitchFailed
from spark_mode.lab.size import GB
from spark_mode.planning.observed import Memory
from spark_mode.planning.planner import plan as make_plan
from spark_mode.planning.request import ModeRequest, Request
from spark_mode.switching.switch import Switch
from tests.simulation.lab import PROJECT, RULES, observer_of, switch_on
from tests.simulation.machine import NoGpu, SimulatedMachine

OMNI, TRAINING = ModeRequest(mode="audio", profile="omni"), ModeRequest(mode="training")
POLL = 0.25
"""How long after the release the switch may go on at the latest, seconds."""


class Late(SimulatedMachine):
    """A machine on which `held` bytes stay taken for so many seconds after the first stop; `moments` are the acts' times."""

    def __init__(self, held: int, seconds: float) -> None:
        super().__init__(PROJECT, RULES, 128 * GB)
        self.held_bytes, self.seconds = held, seconds
        self.moments: dict[str, float] = {}

    @property
    def stopped_at(self) -> float | None:
        return next((time for act, time in self.moments.items() if "stop" in act), None)

    @property
    def is_held(self) -> bool:
        return self.stopped_at is not None and self.time < self.stopped_at + self.seconds

    def memory(self) -> Memory:
        seen = super().memory()
        held = self.held_bytes if self.is_held else 0
        return seen.model_copy(update={"available": (seen.available or 0) - held})

    def process(self, pid: int) -> Process | None:
        return Process(pid=pid, name="server", user="root", container="omni-1", size=0)

    def _act(self, what: str, service: str | None, method: str, *arguments: object) -> None:
        self.moments.setdefault(what, self.time)
        super()._act(what, service, method, *arguments)


class ListsTheStopped(NoGpu):
    """A GPU that goes on listing a process of what was stopped."""

    def __init__(self, machine: Late) -> None:
        self._machine = machine

    def processes(self) -> tuple[GpuProcess, ...]:
        there = self._machine.stopped_at is None or self._machine.is_held
        return (GpuProcess(pid=7, used=8 * GB),) if there else ()


def switch(machine: Late, request: Request, gpu: NoGpu | None = None) -> Switch:
    before = observer_of(machine).observe_all()
    made = make_plan(request, PROJECT, RULES, before, 128 * GB)
    assert made.refusal is None
    one = switch_on(machine, gpu=gpu)
    one.run(made, before, True)
    return one


def with_omni(held: int, seconds: float) -> Late:
    machine = Late(held, seconds)
    switch(machine, OMNI)
    machine.moments.clear()
    return machine


def test_a_switch_goes_on_within_a_quarter_of_a_second_of_a_late_release() -> None:
    machine = with_omni(held=100 * GB, seconds=20)
    switch(machine, TRAINING)
    assert machine.stopped_at is not None
    assert 0 <= machine.moments["start training"] - (machine.stopped_at + 20) <= POLL


def test_what_the_gpu_still_lists_is_waited_for_like_memory() -> None:
    machine = with_omni(held=0, seconds=5)
    switch(machine, TRAINING, ListsTheStopped(machine))
    assert machine.stopped_at is not None
    assert 0 <= machine.moments["start training"] - (machine.stopped_at + 5) <= POLL


def test_memory_that_does_not_come_back_starts_nothing_new_and_what_ran_before_runs_again() -> None:
    machine = with_omni(held=100 * GB, seconds=1000)
    with pytest.raises(SwitchFailed, match=r"32.0 GB must be free and 28.0 GB are, after 120 s of waiting. Nothing was started"):
        switch(machine, TRAINING)
    assert "start training" not in machine.moments
    assert machine.running() == {"omni": None}


def test_a_way_back_that_does_not_fit_either_is_not_waited_for_again() -> None:
    machine = with_omni(held=115 * GB, seconds=1000)
    with pytest.raises(NeedsAttention, match=r"18.0 GB must be free and 13.0 GB are, after 0 s of waiting"):
        switch(machine, TRAINING)
    assert machine.running() == {}
    assert machine.time < 140


def test_a_start_that_settles_is_measured() -> None:
    machine = Late(0, 0)
    (taken,) = switch(machine, OMNI).measured
    assert (taken.workload, taken.declared, taken.settled, taken.peak) == ("omni", 8 * GB, 8 * GB, 8 * GB)
