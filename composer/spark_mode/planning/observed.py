"""What was seen at one instant: a snapshot that the planner reads instead of asking the world."""

from collections.abc import Collection, Iterable
from functools import cache

from pydantic import Field

from spark_mode.frozen import Frozen
from spark_mode.lab.replicas import of_one, times
from spark_mode.lab.rules import Rules
from spark_mode.lab.size import gb_text
from spark_mode.lab.workload import Footprint, Workload
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import Command, ForeignContainer, ForeignWorkload
from spark_mode.planning.job import Job

RELEASE = "wait until it ends, or release it: spark-mode release"
"""What to do about something that is held."""


class Made(Frozen):
    """What Compose wrote on a network or volume when it made it: the hash of its configuration, and its own version."""

    config_hash: str
    compose: str = ""


class Memory(Frozen):
    """The machine's memory in bytes; None is unknown, never zero. `free` leaves out what the page cache could give back.

    `programs` is what programs hold of it, as far as the kernel counts it: not what CUDA takes.
    """

    total: int | None
    available: int | None
    free: int | None = None
    swap_total: int | None = None
    swap_free: int | None = None
    programs: int | None = None

    @property
    def swap_used(self) -> int | None:
        """Return the bytes that were moved out to swap."""
        return None if self.swap_total is None or self.swap_free is None else self.swap_total - self.swap_free


class LoadedModel(Frozen):
    """A model that a host has in memory, with its real size in bytes. `expires_at` is the host's time, ISO 8601."""

    host: str
    model: str
    size: int
    workload: str | None = None
    context_length: int | None = None
    expires_at: str | None = None


class Hold(Frozen):
    """A running mode that its owner protects from other switches; `since` is ISO 8601. It ends with its containers.

    With a `process` it is what that process was allowed to start, and ends with it. With a `job` it is held by a queue, which has
    `brought` these of its services: they end with the job. Its `runner` is the process that follows it, by when it began.
    """

    request: str
    by: str
    since: str
    services: tuple[str, ...]
    containers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    process: int | None = None
    job: Job | None = None
    brought: tuple[str, ...] = ()
    runner: int = 0
    runner_began: int = 0

    @property
    def hint(self) -> str:
        """What to do about something that is held so."""
        return RELEASE if self.job is None else f"wait until it ends, or end the job: spark-mode fleet stop {self.job.id}"

    def __str__(self) -> str:
        if self.process is not None:
            return f"{self.by} starts it with {self.request} (process {self.process}) since {self.since}"
        who = self.by if self.job is None else f"job {self.job.id} of {self.by}"
        return f"{who} holds {self.request} since {self.since}"


class Endings(Frozen):
    """Stopped containers, by id: those that a switch saw end by themselves as they should, and those that it stopped."""

    completed: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()


class MemoryUser(Frozen):
    """Something that holds memory and that no workload declares: a container, a process, a model; `size` in bytes."""

    name: str
    owner: str
    size: int

    def __str__(self) -> str:
        return f"{self.name} ({self.owner}) {gb_text(self.size)}"


class Observed(Frozen):
    """One snapshot: the project's containers, what else matters to the rules, and the machine's memory.

    `complete` is False when no engine was asked. `models` are those admitted and still possible, and those that are
    loaded. `loaded` has what each host that was asked has loaded, None for one that did not say; where nobody listens it is
    `absent`, and has nothing loaded. `images` has the id
    of each image by the name that a service uses for it, `networks` and `volumes` what Compose wrote
    on them, by their full names; what does not exist is absent. `gone_networks` are those of stopped containers that nobody has
    any more. `held` is what somebody protects and still runs. `endings`
    says how containers ended, as far as a switch knows it. `others` are the active containers that are not the project's;
    `foreign` says which of them count.
    """

    containers: tuple[Container, ...] = ()
    foreign: tuple[ForeignWorkload, ...] = ()
    others: tuple[ForeignContainer, ...] = ()
    models: tuple[str, ...] = ()
    loaded: dict[str, tuple[LoadedModel, ...] | None] = Field(default_factory=dict)
    absent: tuple[str, ...] = ()
    memory: Memory = Memory(total=None, available=None)
    gpu_runtime: bool = True
    images: dict[str, str] = Field(default_factory=dict)
    networks: dict[str, Made] = Field(default_factory=dict)
    volumes: dict[str, Made] = Field(default_factory=dict)
    gone_networks: tuple[str, ...] = ()
    held: tuple[Hold, ...] = ()
    endings: Endings = Endings()
    complete: bool = True

    @property
    def active(self) -> tuple[Container, ...]:
        """The project's active containers, one-offs and those of removed services included."""
        return tuple(container for container in self.containers if container.active)

    def container_of(self, service: str) -> Container | None:
        """Return the container that Compose uses for a service, active ones first."""
        return next(iter(self.replicas_of(service, 1)), None)

    def replicas_of(self, service: str, count: int) -> tuple[Container, ...]:
        """Return the containers that Compose uses for a service of so many replicas, active ones first; fewer where there are."""
        mine = (container for container in self.containers if container.service == service and not container.one_off)
        return tuple(sorted(mine, key=lambda container: (not container.active, container.name))[:count])

    @property
    def active_services(self) -> tuple[str, ...]:
        """The services with an active container, in order of name."""
        return tuple(sorted({container.service for container in self.active if container.service}))

    def hold_of(self, name: str) -> Hold | None:
        """Return who holds a service or a model."""
        return next((one for one in self.held if name in (*one.services, *one.models)), None)

    def loaded_on(self, host: str) -> tuple[LoadedModel, ...]:
        """Return what a host is known to have loaded."""
        return self.loaded.get(host) or ()

    def holds(self, model: Workload) -> bool:
        """Whether a model counts as having its memory already: it is loaded, or admitted on a host that does not say."""
        on_host = self.loaded.get(model.host or "")
        if on_host is None:
            return model.name in self.models
        return any(one.workload == model.name for one in on_host)

    def with_ended(self, completed: Iterable[str] = (), stopped: Iterable[str] = ()) -> "Observed":
        """Return the snapshot with more containers of which it is known how they ended; without those that are no longer so."""
        inactive = {one.id for one in self.containers if not one.active}
        done = tuple(one for one in dict.fromkeys([*self.endings.completed, *completed]) if one in inactive)
        others = dict.fromkeys([*self.endings.stopped, *stopped])
        endings = Endings(completed=done, stopped=tuple(one for one in others if one in inactive and one not in done))
        return self.model_copy(update={"endings": endings})

    def without(self, services: Collection[str], models: Collection[str]) -> "Observed":
        """Return the snapshot as it will be once these services and models are gone."""
        return self.model_copy(
            update={
                "containers": tuple(one for one in self.containers if not (one.active and one.service in services)),
                "models": tuple(model for model in self.models if model not in models),
            }
        )

    def workloads(self, rules: Rules) -> tuple[Workload, ...]:
        """Return the active workloads in the order of rules.yaml: services in the variant that runs, and models.

        A service that rules.yaml does not describe counts with its default footprint, where there is one.
        """
        found: dict[str, Workload] = {}
        for workload in self._by_container(rules):
            found.setdefault(workload.name, workload)
        return tuple(found.values())

    def copies(self, rules: Rules) -> tuple[Workload, ...]:
        """Return the active workloads as often as they hold memory: for each container, one-offs and foreign ones included."""
        return tuple(map(of_one, self._by_container(rules)))

    def _by_container(self, rules: Rules) -> tuple[Workload, ...]:
        own = (running_workload(rules, one.service, one.variant) for one in self.active if one.service)
        models = (rules.workloads[name] for name in self.models)
        found = filter(None, (*own, *models, *self.foreign_workloads(rules)))
        return tuple(sorted(found, key=lambda workload: (rules.position(workload.name), workload.name)))

    def foreign_workloads(self, rules: Rules) -> tuple[Workload, ...]:
        """Return the workloads that foreign containers are, in the variant that runs; a host of models is none."""
        found = (
            _in_variant(known, one.container.variant)
            if (known := rules.workloads.get(one.name))
            else running_workload(rules, one.name, one.container.variant)
            for one in self.foreign
        )
        sizes = (one.command.size if one.command else None for one in self.foreign)
        return tuple(of_size(of_one(one), size) if size else one for one, size in zip(found, sizes, strict=True) if one)

    @property
    def commands(self) -> tuple[Command, ...]:
        """The commands that run and count here."""
        return tuple(one.command for one in self.foreign if one.command)


def of_size(workload: Workload, size: int) -> Workload:
    """Return a workload as a command that takes so many bytes: no service of the lab, whatever it runs in otherwise."""
    footprint = Footprint.model_construct(planned=size, low=size, high=size)
    return workload.model_copy(update={"footprint": footprint, "service": None})


def running_workload(rules: Rules, service: str, variant: str | None) -> Workload | None:
    """Return the workload that a service is in a variant, a stand-in for an undescribed one, or None for a host."""
    workload = rules.of_service(service)
    if workload is not None:
        return _in_variant(workload, variant)
    footprint = rules.footprint_of_undescribed(service)
    if rules.host_of_service(service) or footprint is None:
        return None
    return _undescribed(service, footprint, rules.replicas.get(service, 1))


@cache
def _undescribed(service: str, footprint: Footprint, count: int) -> Workload:
    """Made once: a lab may have a hundred of them, and every look counts them all."""
    return times(Workload.model_construct(name=service, class_="", footprint=footprint, service=service), count)


def _in_variant(workload: Workload, variant: str | None) -> Workload:
    return workload.in_variant(variant) if variant is not None and variant in workload.variants else workload
