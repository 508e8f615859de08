"""What a start is measured by: how far the machine's memory drops, and whether that was others' doing."""

from collections.abc import Mapping

import pytest

from spark_mode.engine.doors import GpuProcess, Process
from spark_mode.journal.measurements import Measurement
from spark_mode.planning.observed import Memory
from spark_mode.switching.gauge import Gauge
from tests.audio_lab import PROJECT, RULES, container
from tests.simulation.machine import NoGpu, SimulatedMachine

MB = 10**6
OMNI = container("omni")


class Machine(SimulatedMachine):
    """A machine whose programs hold `held` bytes by container, "" for those in none; the GPU lists `on_gpu` likewise."""

    def __init__(self) -> None:
        super().__init__(PROJECT, RULES, 1000 * MB)
        self.by_container: dict[str, int] = {"": 100 * MB}
        self.on_gpu: dict[str, int] = {}
        self.tells = True

    def memory(self) -> Memory:
        programs = sum(self.by_container.values())
        available = self.total - programs - sum(self.on_gpu.values())
        return Memory(total=self.total, available=available, programs=programs if self.tells else None)

    def memory_of(self, id: str) -> int | None:
        return self.by_container.get(id)

    def process(self, pid: int) -> Process | None:
        return Process(pid=pid, name="x", user="x", container=list(self.on_gpu)[pid] or None, size=0)


class Gpu(NoGpu):
    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def processes(self) -> tuple[GpuProcess, ...]:
        return tuple(GpuProcess(pid=pid, used=used) for pid, used in enumerate(self._machine.on_gpu.values()))


def measured(machine: Machine, held: Mapping[str, int], on_gpu: Mapping[str, int], host: str | None = None) -> Measurement:
    """Measure a start of omni, or of a model in a host, during which this much more is held."""
    gauge = Gauge(machine, machine, Gpu(machine), RULES)
    gauge.begin(host)
    machine.by_container = {
        name: machine.by_container.get(name, 0) + held.get(name, 0) for name in {**machine.by_container, **held}
    }
    machine.on_gpu = {**machine.on_gpu, **on_gpu}
    gauge.sample(machine.memory().available)
    if host is None:
        gauge.settle(OMNI)
    else:
        gauge.settle_model("llama3.1:8b", host or None)
    return gauge.taken[0]


@pytest.mark.parametrize(
    ("held", "on_gpu", "others"),
    [
        ({OMNI.id: 200 * MB}, {}, 0),
        ({OMNI.id: 50 * MB}, {OMNI.id: 200 * MB}, 0),
        ({OMNI.id: 200 * MB, "": 150 * MB}, {}, 150 * MB),
        ({OMNI.id: 200 * MB, "": -50 * MB}, {}, -50 * MB),
        ({OMNI.id: 200 * MB, "another": 150 * MB}, {}, 150 * MB),
        ({OMNI.id: 200 * MB}, {"": 150 * MB, "another": 10 * MB}, 160 * MB),
    ],
)
def test_what_others_take_during_a_start_is_told_from_its_own(held: dict[str, int], on_gpu: dict[str, int], others: int) -> None:
    machine = Machine()
    machine.on_gpu = {"": 7 * MB} if "" not in on_gpu else {}
    found = measured(machine, held, on_gpu)
    assert found.others == others
    assert found.settled == sum(held.values()) + sum(on_gpu.values())


def test_a_model_is_measured_within_the_container_of_its_host() -> None:
    machine = Machine()
    machine.by_container["ollama"] = 30 * MB
    found = measured(machine, {"ollama": 200 * MB, "": 20 * MB}, {"ollama": 100 * MB}, host="ollama")
    assert (found.workload, found.others, found.settled) == ("llama3.1:8b", 20 * MB, 320 * MB)


def test_what_others_did_is_unknown_for_a_host_outside_docker_and_where_the_kernel_does_not_say() -> None:
    assert measured(Machine(), {"": 200 * MB}, {}, host="").others is None
    silent = Machine()
    silent.tells = False
    assert measured(silent, {OMNI.id: 200 * MB}, {}).others is None
