"""A simulated engine: containers with states, health, restart policies and faults, on a clock that moves when asked.

It does what was measured of a real engine; `tests/engine/test_conformance.py` holds the two together. It is
deterministic: the same calls give the same answers.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Literal, Self, get_args

from spark_mode.engine.doors import ChosenVariant, ComposeFailed, Identity, StartFailed
from spark_mode.errors import EngineUnavailable
from spark_mode.lab.by_nature import names_of
from spark_mode.lab.project import Project
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import ForeignContainer
from spark_mode.planning.observed import Made
from tests.deep import DEEP

FILE = "/lab/compose.yaml"
"""The Compose file from which every project of a simulated engine is made."""
LOAD_SECONDS = 0.2
"""A few looks long: each look of a wait is like the one before."""
SLEEP_SECONDS = 0.0 if DEEP else 0.5
"""How long a sleep takes at least, as on a machine that is busy: so few looks of a wait find what the one before found."""
LATE_SECONDS = 1.0
"""How much later something happens whose client was killed: the engine finishes what it was asked (measured)."""
When = Literal["before", "after", "late"]
WHEN: tuple[When, ...] = get_args(When)


class Killed(BaseException):
    """kill -9: nobody catches it, nothing is tidied up."""


class SimulatedEngine:
    """The engine. `acts` are the effects on it so far; `effects` counts them and all other effects of a switch.

    `fail_at` is the index of an act that goes wrong, and `fault` how: `compose` (Compose reports a failure), `engine`
    (the engine stops answering), `lost` (it is killed as what it starts begins, which then runs `unseen`) or `crash` (a started
    service exits with code 1 at once). `kill_at` is the index of an effect, and whether spark-mode is killed before it, after
    it, or before it while it still happens later. Before the effect `restart_at` the engine restarts. `at_effect` is told of each
    effect right before it happens. The wall clock is `wall` seconds before the other one.
    `neighbours` are the engine's other projects, made from the same Compose file: each is written down as an engine of its own.
    """

    least_sleep = SLEEP_SECONDS

    def __init__(self, project: Project) -> None:
        self.project = project
        self.time = 0.0
        self.wall = 0.0
        self.acts: list[str] = []
        self.effects = 0
        self.fail_at: int | None = None
        self.fault = "compose"
        self.kill_at: tuple[int, When] | None = None
        self.restart_at: int | None = None
        self.at_effect: Callable[[str, tuple[object, ...]], None] | None = None
        self.foreign: tuple[ForeignContainer, ...] = ()
        self.neighbours: tuple[SimulatedEngine, ...] = ()
        self.engine_answers = True
        self.policies: dict[str, str] = {}
        self.ending: dict[str, int] = {}
        self.undying: set[str] = set()
        self.sick: set[str] = set()
        self.unseen: set[str] = set()
        self._containers: dict[str, Container] = {}
        self._ready_at: dict[str, float] = {}
        self._stopped_by_hand: set[str] = set()
        self._later: list[tuple[float, str, tuple[object, ...]]] = []
        self._made = 0
        self.starts_by_others = 0
        self._overtaken = False
        self._asked_together: list[str] = []

    # Clock

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        for one in (self, *self.neighbours):
            one._pass(max(seconds, self.least_sleep))

    def _pass(self, seconds: float) -> None:
        self.time += seconds
        due = [one for one in self._later if one[0] <= self.time]
        self._later = [one for one in self._later if one[0] > self.time]
        for _, method, arguments in due:
            getattr(self, method)(*arguments)

    # What spark-mode asks

    def identity(self) -> Identity:
        self._answer()
        return Identity(id="simulated", version="0", gpu_runtime=True)

    def containers(self, project: str) -> tuple[Container, ...]:
        self._answer()
        asked = next(one for one in (self, *self.neighbours) if project in one.project.names)
        return tuple(sorted((asked._seen(id_) for id_ in asked._of_part(project)), key=lambda one: one.name))

    def others(self, project: str) -> tuple[ForeignContainer, ...]:
        self._answer()
        assert project in ("", *self.project.names)
        return (
            *self.foreign,
            *(other for one in (self, *self.neighbours) for other in one.as_others(but=project)),
        )

    def as_others(self, but: str) -> Iterator[ForeignContainer]:
        """Yield the active containers of all projects but one, as they are listed for that one."""
        labels = {"com.docker.compose.project.config_files": FILE}
        for project in self.project.names:
            if project == but:
                continue
            for one in map(self._containers.__getitem__, self._of_part(project)):
                if one.active:
                    yield ForeignContainer(container=one, image="", labels=labels, project=project)

    def _of_part(self, project: str) -> tuple[str, ...]:
        """Return the ids of what a Compose project has: all of it, where there is one; an unread one has what no other has."""
        parts = self.project.parts
        if not parts:
            return tuple(self._containers)
        unread = next((part.name for part in parts if "" in part.unusable), "")
        project_of = {name: one.project for name, one in self.project.services.items()}
        return tuple(id_ for id_, one in self._containers.items() if project_of.get(one.service or "", unread) == project)

    def container(self, id: str) -> Container | None:
        self._answer()
        return self._seen(id) if id in self._containers else None

    def those(self, ids: Sequence[str]) -> tuple[Container, ...]:
        self._answer()
        return tuple(self._seen(id_) for id_ in ids if id_ in self._containers)

    def images(self, names: Sequence[str]) -> dict[str, str]:
        self._answer()
        return {name: f"id of {name}" for name in names}

    def checked_images(self, names: Sequence[str]) -> frozenset[str]:
        return frozenset()

    def networks(self, project: str) -> dict[str, Made]:
        return {}

    def network_names(self) -> frozenset[str]:
        return frozenset({"there"})

    def volumes(self, project: str) -> dict[str, Made]:
        return {}

    def project_of_file(self, file: str) -> str | None:
        return None

    def memory_of(self, id: str) -> int | None:
        return None

    def memories_of(self, ids: Sequence[str]) -> dict[str, int | None]:
        return {id_: self.memory_of(id_) for id_ in ids}

    ended = False
    """As a stream of events: it never breaks off."""

    @contextmanager
    def changes(self, *projects: str) -> Iterator[Self]:
        yield self

    def wait(self, seconds: float) -> bool:
        self.sleep(seconds)
        return False

    def last_lines(self, id: str, count: int, since: float = 0.0) -> tuple[str, ...]:
        return (f"the last line of {id}",)[:count]

    def stop(self, id: str, seconds: int) -> None:
        self._act(f"stop {id}", None, "_stop", id)

    def stop_all(self, graces: Mapping[str, int], after: Mapping[str, Collection[str]] | None = None) -> None:
        for place, (id_, seconds) in enumerate(graces.items()):
            assert not set(list(graces)[place:]) & set((after or {}).get(id_, ())), f"{id_} is stopped before what depends on it"
            self.stop(id_, seconds)

    def start_all(self, ids: Collection[str]) -> dict[str, str]:
        """Start one after the other; one whose client was killed at one of them has asked for all of them, or for no more."""
        failed, left = {}, list(ids)
        self._asked_together = left
        try:
            while left:
                id_ = left.pop(0)
                try:
                    self.start(id_)
                except StartFailed as error:
                    failed[id_] = str(error)
        finally:
            self._asked_together = []
        return failed

    def start(self, id: str) -> None:
        one = self._containers.get(id)
        if one is None:
            raise StartFailed(f"No such container: {id}")
        if one.state == "paused":
            raise StartFailed("cannot start a paused container, try unpause instead")
        if lost := set(one.networks) - self.network_names():
            raise StartFailed(f"failed to set up container networking: network {lost.pop()} not found")
        crashes = self.fault == "crash" and self.fail_at == len(self.acts)
        self._act(f"start {one.service}", one.service, "_up", one.service, crashes)

    def remove(self, id: str) -> None:
        self._act(f"remove {id}", None, "_remove", id)

    def unpause(self, id: str) -> None:
        self._act(f"unpause {id}", None, "_unpause", id)

    def set_restart_policy(self, id: str, policy: str, retries: int) -> None:
        self._act(f"policy {policy} {id}", None, "_set_policy", id, policy, retries)

    def set_restart_policies(self, policies: Mapping[str, tuple[str, int]]) -> None:
        for id_, (policy, retries) in policies.items():
            self.set_restart_policy(id_, policy, retries)

    # What Compose does for it

    def create(self, services: Sequence[str], variants: Mapping[str, ChosenVariant], anew: bool = False) -> None:
        if taken := next(filter(None, map(self._name_holder, services)), None):
            raise ComposeFailed(f"the container name {taken.name} is already in use by container {taken.id}")
        self._act(f"create {' '.join(services)}", services[0], "_create", services, variants, anew)

    def up(self, service: str) -> None:
        one = self.of(service)
        if one is None:
            raise ComposeFailed(f"no such container: {service}")
        if one.state == "paused":
            raise ComposeFailed("cannot start a paused container, try unpause instead")
        self._act(f"up {service}", service, "_up", service, self.fail_at == len(self.acts) and self.fault == "crash")

    def compose_stop(self, service: str) -> None:
        self._act(f"compose stop {service}", service, "_compose_stop", service)

    # What others and misfortune do

    def put(self, service: str, state: str, variant: str | None = None, id: str | None = None) -> Container:
        """Have a container of a service in a state."""
        made = Container(
            id=id or f"{service}-0",
            name=self.project.services[service].container_name or f"{self.project.name}-{service}-1",
            service=service,
            state=state,
            health="healthy" if state == "running" else "none",
            variant=variant,
            config_hash=self.project.services[service].config_hash,
            image_id=f"id of {self.project.services[service].image}",
            started_at="0" if state == "running" else "",
            restart_policy=self.policies.get(service, "no"),
        )
        self._containers[made.id] = made
        return made

    def of(self, service: str) -> Container | None:
        """Return the container of a service."""
        return next((one for one in self._containers.values() if one.service == service), None)

    def change(self, id: str, **fields: object) -> None:
        """Change what is seen of a container."""
        self._containers[id] = self._containers[id].model_copy(update=fields)

    def outside_start(self, service: str) -> None:
        """Have somebody start a container by hand."""
        if (one := self.of(service)) and one.state in ("created", "exited"):
            self._begin(one.id)
            self.starts_by_others += 1

    def outside_start_later(self, service: str, seconds: float) -> None:
        """Have the engine start a container so much later, for somebody who asked it to."""
        self._later.append((self.time + seconds, "outside_start", (service,)))

    def outside_stop(self, service: str) -> None:
        """Have somebody stop a container by hand."""
        if one := self.of(service):
            self._stop(one.id)

    def outside_remove(self, service: str) -> None:
        """Have somebody remove the container of a service."""
        if one := self.of(service):
            del self._containers[one.id]

    def die(self, service: str, code: int) -> None:
        """Have what runs end, as after an OOM kill; its restart policy may start it again."""
        one = self.of(service)
        if one is None or not one.active:
            return
        self.change(one.id, state="exited", health="none", exit_code=code)
        if one.restart_policy in ("always", "unless-stopped") or (one.restart_policy == "on-failure" and code):
            self._begin(one.id)
            self.change(one.id, restart_count=one.restart_count + 1)

    def restart(self) -> None:
        """Restart the engine: what runs ends, and restart policies decide what runs after it."""
        ran = {one.id for one in self._containers.values() if one.active}
        for id_ in ran:
            self.change(id_, state="exited", health="none", exit_code=0)
        for one in list(self._containers.values()):
            again = one.id in ran and one.restart_policy == "unless-stopped" and one.id not in self._stopped_by_hand
            if one.started_at and (again or one.restart_policy == "always"):
                self._begin(one.id)

    def running(self) -> dict[str, str | None]:
        """Return the running services with their variants."""
        return {one.service or "": one.variant for one in self._containers.values() if one.active}

    def fork(self) -> Self:
        """Return the same engine once more."""
        other = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, (list, dict, set)):
                setattr(other, name, copy(value))
        other.at_effect = None
        return other

    # Effects

    def effect(self, method: str, *arguments: object) -> None:
        """Have something happen that can be cut off by a kill."""
        index, self.effects = self.effects, self.effects + 1
        if index == self.restart_at:
            self.restart()
        if self.at_effect:
            self.at_effect(method, arguments)
        when = self.kill_at[1] if self.kill_at and self.kill_at[0] == index else None
        if when == "late":
            self.late_all(method, *arguments)
        if when in ("before", "late"):
            raise Killed
        getattr(self, method)(*arguments)
        if when == "after":
            raise Killed

    def late_all(self, method: str, *arguments: object) -> None:
        """Have something happen later, with what was asked for together with it."""
        self.late(method, *arguments)
        for id_ in self._asked_together:
            self.late("_up", self._containers[id_].service, False)

    def late(self, method: str, *arguments: object) -> None:
        """Have something happen later, which a process that was killed had asked for."""
        self._later.append((self.time + LATE_SECONDS, "_happen_late", (self.of_others(), method, arguments)))

    def _happen_late(self, of_others: tuple[object, ...], method: str, arguments: tuple[object, ...]) -> None:
        """Have it happen; a start is not judged by what others did since it was asked for."""
        self._overtaken = of_others != self.of_others()
        getattr(self, method)(*arguments)
        self._overtaken = False

    def of_others(self) -> tuple[object, ...]:
        """Return what others did so far, to see whether they did more since."""
        return (self.foreign, *(one.starts_by_others for one in (self, *self.neighbours)))

    def _act(self, what: str, service: str | None, method: str, *arguments: object) -> None:
        """Have an effect on the engine; it may be the one that goes wrong."""
        self._answer()
        wrong = self.fail_at == len(self.acts)
        self.acts.append(what)
        if wrong and self.fault == "lost" and service and (one := self.of(service)):
            self.unseen.add(one.id)
        if wrong and self.fault in ("engine", "lost"):
            self.engine_answers = False
            self._answer()
        if wrong and self.fault == "compose" and service:
            raise StartFailed(f"{what} failed") if what.startswith("start ") else ComposeFailed(f"{what} failed")
        self.effect(method, *arguments)

    def _answer(self) -> None:
        if not self.engine_answers:
            raise EngineUnavailable("the simulated engine does not answer")

    def _set_policy(self, id: str, policy: str, retries: int) -> None:
        if id in self._containers:
            self.change(id, restart_policy=policy, restart_retries=retries)

    def _create(self, services: Sequence[str], variants: Mapping[str, ChosenVariant], anew: bool) -> None:
        for service in services:
            old = self.of(service)
            assert old is None or not old.active, f"Compose would replace the running {service}"
            assert self._name_holder(service) is None, f"another container has the name of {service}"
            variant = variants[service].name if service in variants else None
            if old and not anew and (old.config_hash, old.variant) == (self.project.services[service].config_hash, variant):
                continue
            if old:
                del self._containers[old.id]
            self._made += 1
            self.put(service, "created", variant, f"{service}-{self._made}")

    def _name_holder(self, service: str) -> Container | None:
        """Return the container of another service that has a service's name, so that none can be created for it."""
        names = names_of(self.project.services[service], self.project)
        return next((one for one in self._containers.values() if one.name in names and one.service != service), None)

    def _remove(self, id: str) -> None:
        if (one := self._containers.get(id)) and not one.active:
            del self._containers[id]

    def _up(self, service: str, crash: bool) -> None:
        one = self.of(service)
        if one and one.state != "running":
            self._start(one.id, crash)
            if service in self.ending:
                self.change(one.id, state="exited", exit_code=self.ending[service])

    def _compose_stop(self, service: str) -> None:
        for one in [one for one in self._containers.values() if one.service == service and one.active]:
            self._stop(one.id)

    def _unpause(self, id: str) -> None:
        self.change(id, state="running")
        self._ready_at[id] = self.time + LOAD_SECONDS  # the engine forgets the health of what it pauses

    def _stop(self, id: str) -> None:
        one = self._containers.get(id)
        if one is None or not one.active:
            return
        if one.service in self.undying:
            self.time += 10
            return
        self._stopped_by_hand.add(id)
        self.change(id, state="exited", health="none", exit_code=0)
        self.time += 0.1

    def _start(self, id: str, crash: bool = False) -> None:
        self._begin(id, crash)
        if not self._overtaken:
            self.started_by_us(self._containers[id])

    def started_by_us(self, container: Container) -> None:
        """Look at what spark-mode has just started."""

    def _begin(self, id: str, crash: bool = False) -> None:
        self._stopped_by_hand.discard(id)
        self.unseen.discard(id)  # what begins takes its place
        self.time += 0.01
        self.change(id, state="exited" if crash else "running", exit_code=int(crash), started_at=f"{self.time + self.wall}")
        self.change(id, started_seconds=self.time + self.wall, restart_count=0)
        self._ready_at[id] = self.time + LOAD_SECONDS

    def _seen(self, id: str) -> Container:
        container = self._containers[id]
        if container.health != (health := self._health(container)):
            self._containers[id] = container = container.model_copy(update={"health": health})
        return container

    def _health(self, container: Container) -> str:
        service = self.project.services.get(container.service or "")
        if container.state != "running" or service is None or service.healthcheck is None:
            return "none"
        if container.service in self.sick:
            return "unhealthy"
        return "healthy" if self.time >= self._ready_at.get(container.id, 0.0) else "starting"
