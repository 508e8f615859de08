"""Measuring a start: how far the machine's available memory drops until a workload has settled."""

from composer.engine.doors import Docker, Gpu, Machine
from composer.lab.rules import Rules
from composer.planning.observed import Container, running_workload
from composer.switching.holders import held_by
from composer.switching.measurements import Measurement
from composer.switching.state import now


class Gauge:
    """Follows one start after the other; `taken` are those that settled."""

    def __init__(self, docker: Docker, machine: Machine, gpu: Gpu, rules: Rules) -> None:
        self.taken: list[Measurement] = []
        self._docker, self._machine, self._gpu, self._rules = docker, machine, gpu, rules
        self._before: int | None = None
        self._first: int | None = None
        self._lowest: int | None = None

    def begin(self) -> None:
        """Something is about to start."""
        self._before = self._machine.memory().available
        self._first = self._lowest = None

    def sample(self, available: int | None) -> None:
        """Note what is available while it starts, bytes."""
        if available is not None:
            self._first = available if self._first is None else self._first
            self._lowest = available if self._lowest is None else min(available, self._lowest)

    def settle(self, container: Container) -> None:
        """Note that a started service is ready."""
        workload = running_workload(self._rules, container.service or "", container.variant)
        if workload:
            held = held_by(container.id, self._docker, self._machine, self._gpu)
            self._note(workload.label, workload.footprint.planned, container.id, held)

    def settle_model(self, name: str) -> None:
        """Note that a model is loaded."""
        self._note(name, self._rules.workloads[name].footprint.planned, "", None)

    def _note(self, name: str, declared: int, container: str, held: int | None) -> None:
        available = self._machine.memory().available
        self.sample(available)
        if self._before is None or available is None or self._first is None or self._lowest is None:
            return
        before = self._before
        self.taken.append(
            Measurement(
                at=now(),
                workload=name,
                container=container,
                declared=declared,
                first=before - self._first,
                peak=before - self._lowest,
                settled=before - available,
                held=held,
            )
        )
