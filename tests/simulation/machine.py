"""A simulated machine behind the same doors as the real one: containers, memory and time, deterministic, with faults.

It knows as little as it must: states, health, memory that is held while a container runs. What Docker itself decides
is tried on a real engine, never here.
"""

from collections.abc import Mapping, Sequence

from composer.engine.doors import ChosenVariant, ComposeFailed, GpuProcess, GpuReading, HostedModel, Identity, Other, Process
from composer.errors import EngineUnavailable
from composer.lab.project import Project
from composer.lab.rules import Rules
from composer.planning.observed import Container, Memory, running_workload

LOAD_SECONDS = 2.0


class SimulatedMachine:
    """All four doors of one machine. `acts` are the effects so far; `fail_at` is the index of an effect that fails.

    `fault` is how: `compose` (Compose reports a failure), `engine` (the engine stops answering) or `crash` (a started
    service exits with code 1 at once).
    """

    def __init__(self, project: Project, rules: Rules, total: int) -> None:
        self.project, self.rules, self.total = project, rules, total
        self.time = 0.0
        self.acts: list[str] = []
        self.fail_at: int | None = None
        self.fault = "compose"
        self.foreign: tuple[Other, ...] = ()
        self.highest_overlap = 0
        self.engine_answers = True
        self._containers: dict[str, Container] = {}
        self._ready_at: dict[str, float] = {}
        self._made = 0

    # Clock

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    # Machine

    def memory(self) -> Memory:
        held = 0
        for container in self._containers.values():
            workload = running_workload(self.rules, container.service or "", container.variant)
            held += workload.footprint.planned if workload and container.active else 0
        return Memory(total=self.total, available=self.total - held)

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

    # Docker

    def identity(self) -> Identity:
        self._answer()
        return Identity(id="simulated", version="0", gpu_runtime=True)

    def containers(self, project: str) -> tuple[Container, ...]:
        self._answer()
        assert project == self.project.name
        return tuple(sorted((self._seen(one) for one in self._containers), key=lambda one: one.name))

    def others(self, project: str) -> tuple[Other, ...]:
        self._answer()
        assert project == self.project.name
        return self.foreign

    def container(self, id: str) -> Container | None:
        self._answer()
        return self._seen(id) if id in self._containers else None

    def images(self, names: Sequence[str]) -> dict[str, str]:
        return {name: f"id of {name}" for name in names}

    def networks(self, project: str) -> dict[str, str]:
        return {}

    def volumes(self, project: str) -> dict[str, str]:
        return {}

    def project_of_file(self, file: str) -> str | None:
        return None

    def stop(self, id: str, seconds: int) -> None:
        self._act(f"stop {id}", None)
        if id in self._containers:
            self._change(id, state="exited", health="none")
            self.time += 0.1

    def start(self, id: str) -> None:
        self._act(f"start {id}", None)
        self._run(id)

    def unpause(self, id: str) -> None:
        self._act(f"unpause {id}", None)
        self._change(id, state="running")

    def held(self, id: str) -> int | None:
        return None

    def last_lines(self, id: str, count: int) -> tuple[str, ...]:
        return (f"the last line of {id}",)[:count]

    # Compose

    def create(self, services: Sequence[str], variants: Mapping[str, ChosenVariant]) -> None:
        self._act(f"create {' '.join(services)}", services[0])
        for service in services:
            old = next((one for one in self._containers.values() if one.service == service), None)
            assert old is None or not old.active, f"Compose would replace the running {service}"
            if old:
                del self._containers[old.id]
            self._made += 1
            self.put(service, "created", variants[service].name if service in variants else None, f"{service}-{self._made}")

    # `start` and `stop` have the same names in both doors; Compose's are in ComposeOf below.

    def put(self, service: str, state: str, variant: str | None = None, id: str | None = None) -> Container:
        """Have a container of a service in a state."""
        made = Container(
            id=id or f"{service}-0",
            name=f"{self.project.name}-{service}-1",
            service=service,
            state=state,
            health="healthy" if state == "running" else "none",
            variant=variant,
            config_hash=self.project.services[service].config_hash,
            image_id=f"id of {self.project.services[service].image}",
            started_at="0" if state == "running" else "",
        )
        self._containers[made.id] = made
        return made

    def running(self) -> dict[str, str | None]:
        """Return the running services with their variants."""
        return {one.service or "": one.variant for one in self._containers.values() if one.active}

    def _answer(self) -> None:
        if not self.engine_answers:
            raise EngineUnavailable("the simulated engine does not answer")

    def _act(self, what: str, service: str | None) -> bool:
        """Note an effect; return whether it is the one that goes wrong."""
        self._answer()
        wrong = self.fail_at == len(self.acts)
        self.acts.append(what)
        if wrong and self.fault == "engine":
            self.engine_answers = False
            self._answer()
        if wrong and self.fault == "compose" and service:
            raise ComposeFailed(f"{what} failed")
        return wrong

    def _run(self, id: str, crash: bool = False) -> None:
        self._change(id, state="exited" if crash else "running", health="none", exit_code=int(crash), started_at=f"{self.time}")
        self._ready_at[id] = self.time + LOAD_SECONDS
        classes = [one.class_ for service in self.running() if (one := self.rules.of_service(service))]
        self.highest_overlap = max(self.highest_overlap, min(classes.count("training"), classes.count("audio")))

    def _change(self, id: str, **fields: object) -> None:
        self._containers[id] = self._containers[id].model_copy(update=fields)

    def _seen(self, id: str) -> Container:
        container = self._containers[id]
        checked = self.project.services[container.service or ""].healthcheck is not None
        if container.state != "running" or not checked:
            return container
        ready = self.time >= self._ready_at.get(id, 0.0)
        return container.model_copy(update={"health": "healthy" if ready else "starting"})


class ComposeOf:
    """The Compose door of a simulated machine."""

    def __init__(self, machine: SimulatedMachine) -> None:
        self._machine = machine

    def create(self, services: Sequence[str], variants: Mapping[str, ChosenVariant]) -> None:
        self._machine.create(services, variants)

    def start(self, service: str) -> None:
        machine = self._machine
        wrong = machine._act(f"up {service}", service)
        container = next(one for one in machine._containers.values() if one.service == service)
        machine._run(container.id, crash=wrong and machine.fault == "crash")

    def stop(self, service: str, seconds: int) -> None:
        machine = self._machine
        machine._act(f"compose stop {service}", service)
        for container in [one for one in machine._containers.values() if one.service == service and one.active]:
            machine._change(container.id, state="exited", health="none")


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
