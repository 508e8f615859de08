"""Unloading and loading models of a host, with the memory watched meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

from composer.engine.doors import HostFailed
from composer.planning.plan import Load, Unload
from composer.switching.doors import Doors, StepFailed
from composer.switching.memory_watch import POLL_SECONDS, MemoryWatch
from composer.switching.observe import Observer


@dataclass
class HostedModels:
    """The models of all hosts, during one switch."""

    doors: Doors
    observer: Observer
    memory: MemoryWatch

    def unload(self, step: Unload) -> None:
        address = self.observer.address_of(step.host, self.observer.glance())
        if address is None:
            return
        try:
            self.doors.hosts(address).unload(step.model, step.seconds)
        except HostFailed as error:
            raise StepFailed(f"{step.subject} could not be unloaded: {error}") from None

    def load(self, step: Load) -> None:
        """Have a model loaded while the memory is watched as for any start."""
        address = self.observer.address_of(step.host, self.observer.glance())
        if address is None:
            raise StepFailed(f"{step.subject} is not loaded: its host {step.host} does not run")
        self.memory.gauge.begin()
        host = self.doors.hosts(address)
        try:
            self._meanwhile(lambda: host.load(step.model, step.seconds))
        except HostFailed as error:
            raise StepFailed(f"{step.subject} could not be loaded: {error}") from None
        except StepFailed as error:
            try:
                host.unload(step.model, step.seconds)
            except HostFailed as second:
                raise StepFailed(f"{step.subject} was being loaded: {error}\nIt could not be unloaded: {second}") from None
            raise StepFailed(f"{step.subject} was being loaded, and was unloaded again: {error}") from None
        self.memory.gauge.settle_model(step.subject)

    def _meanwhile(self, act: Callable[[], None]) -> None:
        """Do something that takes time, and sample the memory until it is done. Raises what it raises."""
        failed: list[HostFailed] = []

        def run() -> None:
            try:
                act()
            except HostFailed as error:
                failed.append(error)

        thread = Thread(target=run, daemon=True)
        thread.start()
        while thread.is_alive():
            self.memory.interruption.check()
            self.memory.watcher.progress(self.memory.above_floor(), "loading")
            thread.join(POLL_SECONDS)
        if failed:
            raise failed[0]
