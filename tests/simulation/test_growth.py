"""A lab that grows asks no more questions: a look is as many for a hundred services and fifty models as for a few."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from spark_mode.engine.doors import GpuProcess, HostedModel
from spark_mode.journal.measurements import Measurement, add_measurements
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Host
from spark_mode.lab.size import GB
from spark_mode.lab.workload import Footprint, Workload
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import ForeignContainer
from spark_mode.planning.request import ModeRequest, StopRequest
from spark_mode.reporting.status import status
from spark_mode.session.observe import Observer
from spark_mode.switching.report import SwitchOptions
from spark_mode.switching.transaction import Transaction
from tests.nobody import Nobody
from tests.simulation.lab import PROJECT, RULES, SimulatedSession, service
from tests.simulation.machine import NoGpu, SimulatedMachine

SMALL = Footprint.model_validate("10MB")


class Counted(SimulatedMachine):
    """A machine, with its GPU and a daemon that serves models, that counts what it is asked."""

    def __init__(self, services: int, models: int) -> None:
        helpers = {f"helper{number}": service(f"helper{number}") for number in range(services)}
        served = {
            f"m{number}": Workload(name=f"m{number}", class_="llm", footprint=SMALL, model=f"m:{number}", host="daemon")
            for number in range(models)
        }
        rules = RULES.model_copy(
            update={
                "default_footprint": SMALL,
                "workloads": {**RULES.workloads, **served},
                "hosts": {**RULES.hosts, "daemon": Host(address="http://127.0.0.1:1")},
            }
        )
        super().__init__(Project(name="lab", services={**PROJECT.services, **helpers}), rules, 128 * GB)
        self.asked: Counter[str] = Counter()
        for name in helpers:
            self.put(name, "running")
        self.foreign = tuple(
            ForeignContainer(
                container=Container(id=f"other{number}", name=f"other{number}", state="running"), image="", labels={}
            )
            for number in range(services)
        )

    def containers(self, project: str) -> tuple[Container, ...]:
        self.asked["containers"] += 1
        return super().containers(project)

    def others(self, project: str) -> tuple[ForeignContainer, ...]:
        self.asked["others"] += 1
        return self.foreign

    def container(self, id: str) -> Container | None:
        self.asked["container"] += 1
        return super().container(id)

    def those(self, ids: Sequence[str]) -> tuple[Container, ...]:
        self.asked["those"] += 1
        return super().those(ids)

    def memory_of(self, id: str) -> int | None:
        self.asked["memory_of"] += 1
        return 1

    def memories_of(self, ids: Sequence[str]) -> dict[str, int | None]:
        self.asked["memories_of"] += 1
        return dict.fromkeys(ids, 1)


class CountedGpu(NoGpu):
    """Its GPU."""

    def __init__(self, asked: Counter[str]) -> None:
        self._asked = asked

    def processes(self) -> tuple[GpuProcess, ...]:
        self._asked["gpu"] += 1
        return ()


class CountedHost:
    """Its daemon, which has loaded nothing."""

    def __init__(self, asked: Counter[str]) -> None:
        self._asked = asked

    def loaded(self) -> tuple[HostedModel, ...]:
        self._asked["models"] += 1
        return ()

    def unload(self, model: str, seconds: float) -> None:
        raise AssertionError("nothing is loaded")

    def load(self, model: str, seconds: float, tick: Callable[[], None]) -> None:
        raise AssertionError("nobody asked for it")


class CountedSession(SimulatedSession):
    """A lab on that machine, each of whose services was measured once."""

    def __init__(self, machine: Counted, folder: Path) -> None:
        super().__init__(machine, folder)
        self._asked, self._measured = machine.asked, folder / "measured"
        self.gpu = CountedGpu(machine.asked)
        measured = (
            Measurement(at="", workload=one.name, container=one.id, declared=1, peak=1, settled=1)
            for one in machine.containers("lab")
        )
        add_measurements(self._measured, tuple(measured))
        machine.asked.clear()

    @property
    def measurements_path(self) -> Path:
        return self._measured

    @property
    def observer(self) -> Observer:
        host = CountedHost(self._asked)
        return Observer(self.docker, self.machine, lambda _: host, self.project, self.rules, ())


def asked(services: int, models: int, folder: Path, look: Callable[[CountedSession], object]) -> Counter[str]:
    """Return what is asked for one look at a lab of this size."""
    folder.mkdir()
    machine = Counted(services, models)
    look(CountedSession(machine, folder))
    return machine.asked


@pytest.mark.parametrize(
    "look", [status, lambda session: session.plan(ModeRequest(mode="audio", profile="xtts"))], ids=["status", "plan"]
)
def test_a_lab_of_any_size_is_asked_about_each_thing_once(look: Callable[[CountedSession], object], tmp_path: Path) -> None:
    few = asked(2, 1, tmp_path / "few", look)
    many = asked(100, 50, tmp_path / "many", look)
    assert many == few
    assert (many["containers"], many["others"], many["models"], many["container"]) == (1, 1, 1, 0)


def test_a_stop_asks_once_before_it_and_once_after_it_how_all_containers_are(tmp_path: Path) -> None:
    many = asked(100, 1, tmp_path / "many", stopped)
    assert many == asked(2, 1, tmp_path / "few", stopped)
    assert (many["those"], many["container"]) == (2, 0)


def stopped(session: CountedSession) -> None:
    """Stop all of a lab."""
    Transaction(session, SwitchOptions(yes=True), Nobody(), None).switch(StopRequest())
    assert not session.simulated.running()
