"""Measuring a start: how far the machine's available memory drops until a workload has settled, and what others did."""

from spark_mode.engine.doors import Docker, Gpu, Machine
from spark_mode.journal.measurements import Measurement
from spark_mode.lab.rules import Rules
from spark_mode.planning.container import Container
from spark_mode.planning.observed import running_workload
from spark_mode.session.memory_users import memory_of_containers
from spark_mode.wall_time import now


class Gauge:
    """Follows one start after the other; `taken` are those that settled."""

    def __init__(self, docker: Docker, machine: Machine, gpu: Gpu, rules: Rules) -> None:
        self.taken: list[Measurement] = []
        self._docker, self._machine, self._gpu, self._rules = docker, machine, gpu, rules
        self._before: int | None = None
        self._others: int | None = None
        self._lowest: int | None = None

    def begin(self, container: str | None = None) -> None:
        """Something is about to start: a container, or a model in one that runs."""
        self._others = self._held_by_others(container)
        self._before = self._machine.memory().available
        self._lowest = None

    def sample(self, available: int | None) -> None:
        """Note what is available while it starts, bytes."""
        if available is not None:
            self._lowest = available if self._lowest is None else min(available, self._lowest)

    def settle(self, container: Container) -> None:
        """Note that a started service is ready."""
        workload = running_workload(self._rules, container.service or "", container.variant)
        if workload:
            held = memory_of_containers((container.id,), self._docker, self._machine, self._gpu)[container.id]
            self._note(workload.label, workload.footprint.planned, container.id, held, self._moved(container.id))

    def settle_model(self, name: str, host: str | None) -> None:
        """Note that a model is loaded, by the container of its host; None for a host outside Docker."""
        moved = None if host is None else self._moved(host)
        self._note(name, self._rules.workloads[name].footprint.planned, "", None, moved)

    def _moved(self, container: str) -> int | None:
        """Return by how much more others hold than when this container, or the model in it, was about to start."""
        others = self._held_by_others(container)
        return None if others is None or self._others is None else others - self._others

    def _held_by_others(self, container: str | None) -> int | None:
        """Return what programs hold outside a container, as far as the kernel and the GPU tell; None where it is unknown."""
        programs = self._machine.memory().programs
        own = self._docker.memory_of(container) if container else 0
        if programs is None or own is None:
            return None
        listed = [one for one in self._gpu.processes() or () if one.used]
        return programs - own + sum(one.used or 0 for one in listed if not self._is_in(one.pid, container))

    def _is_in(self, pid: int, container: str | None) -> bool:
        seen = self._machine.process(pid) if container else None
        return seen is not None and seen.container == container

    def _note(self, name: str, declared: int, container: str, held: int | None, others: int | None) -> None:
        available = self._machine.memory().available
        self.sample(available)
        if self._before is None or available is None or self._lowest is None:
            return
        before = self._before
        self.taken.append(
            Measurement(
                at=now(),
                workload=name,
                container=container,
                declared=declared,
                peak=before - self._lowest,
                settled=before - available,
                held=held,
                others=others,
            )
        )
