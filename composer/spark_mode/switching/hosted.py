"""Unloading and loading models of a host, with the memory watched meanwhile."""

from dataclasses import dataclass

from spark_mode.engine.doors import HostFailed, ModelHost
from spark_mode.errors import Interrupted, StepFailed
from spark_mode.planning.plan import Load, Unload
from spark_mode.session.lab import Lab
from spark_mode.switching.last_look import require_clear
from spark_mode.switching.memory_watch import MemoryWatch

GIVEN_UP_SECONDS = 10.0
"""How long a model whose load was given up may take to be gone."""


@dataclass
class HostedModels:
    """The models of all hosts, during one switch."""

    lab: Lab
    memory: MemoryWatch

    def unload(self, step: Unload) -> None:
        address = self.lab.observer.address_of(step.host, self.lab.observer.observe_running())
        if address is None:
            return
        try:
            self.lab.doors.hosts(address).unload(step.model, step.seconds)
        except HostFailed as error:
            raise StepFailed(f"{step.subject} could not be unloaded: {error}") from None

    def load(self, step: Load) -> None:
        """Have a model loaded while the memory is watched as for any start; what ends that early has it unloaded again."""
        service = self.lab.rules.hosts[step.host].service
        seen = require_clear(service or step.subject, self.lab.observer, self.lab.rules)
        address = self.lab.observer.address_of(step.host, seen)
        if address is None:
            raise StepFailed(f"{step.subject} is not loaded: its host {step.host} does not run")
        container = found.id if service and (found := seen.container_of(service)) else None
        self.memory.gauge.begin(container)
        host = self.lab.doors.hosts(address)
        try:
            host.load(step.model, step.seconds, self._watch)
        except HostFailed as error:
            raise StepFailed(f"{step.subject} could not be loaded: {error}") from None
        except (StepFailed, Interrupted):
            self._unload_again(host, step)
            raise
        self.memory.gauge.settle_model(step.subject, container)

    def _watch(self) -> None:
        self.memory.tick()
        self.memory.attempt.watcher.progress(self.memory.above_floor(), "loading")

    def _unload_again(self, host: ModelHost, step: Load) -> None:
        """Have what was being loaded gone before anything else is done; what stays is a warning, and the way back's to see."""
        try:
            host.unload(step.model, GIVEN_UP_SECONDS)
        except HostFailed as error:
            self.memory.attempt.warned(f"{step.subject} was being loaded, and could not be unloaded: {error}")
