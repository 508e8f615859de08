"""A simulated machine behind the same doors as the real one: an engine, memory and time, deterministic, with faults."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from composer.engine.doors import ChosenVariant, GpuProcess, GpuReading, HostedModel, Process
from composer.lab.project import Project
from composer.lab.rules import Rules
from composer.planning.observed import Container, Memory, running_workload
from composer.switching.journal import JournalFailed
from composer.switching.records import Record
from tests.simulation.engine import SimulatedEngine


class SimulatedMachine(SimulatedEngine):
    """All doors of one machine. `wrongs` are starts by spark-mode that broke a promise, in words."""

    def __init__(self, project: Project, rules: Rules, total: int) -> None:
        super().__init__(project)
        self.rules, self.total = rules, total
        self.highest_overlap = 0
        self.taken = 0
        self.wrongs: list[str] = []
        self.on_start = self._judge
        self.journal = SimulatedJournal(self)

    def memory(self) -> Memory:
        return Memory(total=self.total, available=self.total - self._held() - self.taken)

    def processes(self, least: int) -> tuple[Process, ...]:
        return ()

    def process(self, pid: int) -> Process | None:
        return None

    def shared_memory(self) -> int:
        return 0

    def may_drop_caches(self) -> bool:
        return True

    def drop_caches(self) -> None:
        self.acts.append("drop caches")

    def _held(self) -> int:
        held = 0
        for container in self._containers.values():
            workload = running_workload(self.rules, container.service or "", container.variant)
            held += workload.footprint.planned if workload and container.active else 0
        return held

    def _judge(self, started: Container) -> None:
        """Hold a start by spark-mode against the promises."""
        classes = [one.class_ for service in self.running() if (one := self.rules.of_service(service))]
        classes += [other.labels["class"] for other in self.foreign]
        both = min(classes.count("training"), classes.count("audio"))
        self.highest_overlap = max(self.highest_overlap, both)
        if both and started.active:
            self.wrongs.append(f"{started.service} was started beside the other side")
        if self.total - self._held() - self.taken < self.rules.limits.floor:
            self.wrongs.append(f"{started.service} was started through the floor")


class SimulatedJournal:
    """A journal on a disk that may be full, and that keeps what was synced whatever is killed."""

    def __init__(self, machine: SimulatedEngine) -> None:
        self._machine = machine
        self.is_full = False
        self.lines: list[str] = []

    def records(self) -> list[Mapping[str, Any]]:
        return [json.loads(line) for line in self.lines]

    def append(self, record: Record) -> None:
        if self.is_full:
            raise JournalFailed("No space left on device")
        self._machine.effect(lambda: self.lines.append(record.model_dump_json()))

    def rotate(self) -> None:
        pass

    def damaged(self) -> int:
        return 0


class ComposeOf:
    """The Compose door of a simulated machine."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self._engine = engine

    def create(self, services: Sequence[str], variants: Mapping[str, ChosenVariant]) -> None:
        self._engine.create(services, variants)

    def start(self, service: str) -> None:
        self._engine.up(service)

    def stop(self, service: str, seconds: int) -> None:
        self._engine.compose_stop(service)


class NoGpu:
    """A GPU that tells nothing."""

    def read(self) -> GpuReading:
        return GpuReading()

    def utilisation(self) -> int | None:
        return None

    def processes(self) -> tuple[GpuProcess, ...] | None:
        return None


class NoModels:
    """A host of models that has none and loads none."""

    def __init__(self, address: str) -> None:
        self.address = address

    def loaded(self) -> tuple[HostedModel, ...]:
        return ()

    def unload(self, model: str, seconds: float) -> None:
        pass

    def load(self, model: str, seconds: float) -> None:
        pass
