"""What switching asks of the world. Every call is bounded in time.

The doors to the engine, `Docker` and `Compose`, raise EngineUnavailable when it cannot be asked, refuses, or does not answer
in time: the state of containers is then unknown. Of the others each says what it raises, or tells None for what it does not
know. Containers and memory come back as the models that planning reads.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, Protocol

from spark_mode.frozen import Frozen
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import ForeignContainer
from spark_mode.planning.observed import Made, Memory


class Identity(Frozen):
    """Which engine this is, and what it can do."""

    id: str
    version: str
    gpu_runtime: bool


class GpuProcess(NamedTuple):
    """A process that computes on the GPU, and the bytes that the GPU holds for it; None is unknown."""

    pid: int
    used: int | None = None


Slowed = Literal["limit", "power", "supply", "heat", "hardware"]
"""Why a GPU's clock is held down: a limit that somebody set, its power limit, the power supply, heat, or what else its hardware
found."""


class GpuReading(NamedTuple):
    """What the GPU says: utilisation in percent, memory in bytes, heat in °C, power in W, the clock of its cores in MHz.

    None is unknown, never zero. `slowed` is why it does not run as fast as it could; empty where nothing slows it.
    """

    name: str | None = None
    driver: str | None = None
    cuda: str | None = None
    utilisation: int | None = None
    used: int | None = None
    total: int | None = None
    processes: tuple[GpuProcess, ...] | None = None
    celsius: int | None = None
    watts: float | None = None
    megahertz: int | None = None
    slowed: frozenset[Slowed] | None = None


class Process(NamedTuple):
    """A process with the bytes that it holds of its own, and the id of the container it runs in."""

    pid: int
    name: str
    user: str
    container: str | None
    size: int


class HostedModel(Frozen):
    """A model as its host lists it: real size in bytes, context in tokens, and when it is unloaded (ISO 8601)."""

    model: str
    size: int
    context_length: int | None = None
    expires_at: str | None = None


class HostFailed(Exception):
    """A host of models did not do what it should within its time; the message says what was seen."""


class HostAbsent(HostFailed):
    """Nobody listens where the host should be, so it has nothing loaded."""


class ModelHost(Protocol):
    """Something that serves models, such as Ollama. Every call is bounded, and raises HostFailed."""

    def loaded(self) -> tuple[HostedModel, ...]:
        """Return the models that are in memory, and what they really take."""

    def unload(self, model: str, seconds: float) -> None:
        """Have a model's memory given back, and return when it is no longer listed, after at most so many seconds."""

    def load(self, model: str, seconds: float, tick: Callable[[], None]) -> None:
        """Have a model loaded, and return when that is done, after at most so many seconds.

        `tick` is called all the while; what it raises closes the request.
        """


class UnitState(NamedTuple):
    """What systemd says of a unit: its LoadState and ActiveState, when it became active (seconds since the epoch), how often it
    was started again since, and the verbs that it refuses to whoever asks. Both states are empty where systemd cannot be asked.
    """

    load: str = ""
    active: str = ""
    since: float = 0.0
    restarts: int = 0
    refuses: frozenset[str] = frozenset()

    @property
    def is_active(self) -> bool:
        """Whether it runs, or may at any moment."""
        return self.active not in ("", "inactive", "failed")

    @property
    def is_known(self) -> bool:
        """Whether systemd can be asked, and has such a unit."""
        return self.load not in ("", "not-found")


class UnitFailed(Exception):
    """systemd did not do what it was asked within its time; the message is its reason."""


class Units(Protocol):
    """The units of systemd. Every call is bounded in time."""

    def state(self, unit: str) -> UnitState:
        """Return how a unit is now."""

    def start(self, unit: str, seconds: float) -> None:
        """Have a unit started, and return when systemd calls it active, after at most so many seconds. Raises UnitFailed."""

    def stop(self, unit: str, seconds: float) -> None:
        """Have a unit stopped, and return when it is, after at most so many seconds. Raises UnitFailed."""

    def fault(self, unit: str, verb: Literal["start", "stop"]) -> str | None:
        """Return why this user cannot have a unit started or stopped, None where nothing is known to be in the way."""

    def listens(self, address: str) -> bool:
        """Whether anybody listens at an address of this machine."""


class Gpu(Protocol):
    """The GPU; what it does not tell is None."""

    def read(self) -> GpuReading:
        """Return all that can be read."""

    def utilisation(self) -> int | None:
        """Return how busy it is, in percent."""

    def processes(self) -> tuple[GpuProcess, ...] | None:
        """Return the processes that compute."""


class Changes(Protocol):
    """What happens to containers, as it happens: a hint to look, never the truth.

    Once it has `ended`, as when the engine went away, nothing more is told, and waiting takes its time.
    """

    @property
    def ended(self) -> bool:
        """Whether nothing more will be told."""

    def wait(self, seconds: float) -> bool:
        """Return when something has happened, after so many seconds at the latest; return whether something has."""


class Docker(Protocol):
    """The engine: what is there, and the acts that need no Compose file."""

    def identity(self) -> Identity:
        """Return which engine answers."""

    def containers(self, project: str) -> tuple[Container, ...]:
        """Return all containers with the project's label, stopped and one-off ones included, in order of name."""

    def others(self, project: str) -> tuple[ForeignContainer, ...]:
        """Return all active containers without the project's label, in order of name."""

    def container(self, id: str) -> Container | None:
        """Return one container as it is now, or None when it is gone."""

    def those(self, ids: Sequence[str]) -> tuple[Container, ...]:
        """Return these containers as they are now, without any that is gone: all of them by one look."""

    def images(self, names: Sequence[str]) -> dict[str, str]:
        """Return the id of each of these images; one that does not exist is absent."""

    def checked_images(self, names: Sequence[str]) -> frozenset[str]:
        """Return which of these images have a health check of their own; one that does not exist has none."""

    def networks(self, project: str) -> dict[str, Made]:
        """Return what Compose wrote on each of the project's networks, by full name."""

    def network_names(self) -> frozenset[str]:
        """Return the ids and the names of all networks that there are, whoever made them."""

    def volumes(self, project: str) -> dict[str, Made]:
        """Return what Compose wrote on each of the project's volumes, by full name."""

    def project_of_file(self, file: str) -> str | None:
        """Return the project whose containers were made from this Compose file, or None when there are none."""

    def stop(self, id: str, seconds: int) -> None:
        """Send SIGTERM and, after so many seconds, SIGKILL; return when the container has stopped, is gone, or will not die."""

    def stop_all(self, graces: Mapping[str, int], after: Mapping[str, Collection[str]] | None = None) -> None:
        """Stop containers at once, none after another's grace: the seconds of each by its id. Returns as `stop` does.

        One that comes `after` others waits until their stops have returned.
        """

    def remove(self, id: str) -> None:
        """Remove a stopped container with nothing else of it; one that runs is left, and one that is gone is as good."""

    def start(self, id: str) -> None:
        """Start a stopped container as it is; one that runs goes on. Raises StartFailed."""

    def start_all(self, ids: Collection[str]) -> dict[str, str]:
        """Start containers at once, as `start` does; return why, by its id, for each one that the engine could not start."""

    def unpause(self, id: str) -> None:
        """Let a paused container go on."""

    def set_restart_policy(self, id: str, policy: str, retries: int) -> None:
        """Give a container a restart policy; `retries` counts for `on-failure` alone. One that is gone has none."""

    def set_restart_policies(self, policies: Mapping[str, tuple[str, int]]) -> None:
        """Give containers each a policy, with its retries, at once."""

    def memory_of(self, id: str) -> int | None:
        """Return the bytes that a container's processes and shared memory hold, without the page cache and the GPU.

        None where the engine does not say.
        """

    def memories_of(self, ids: Sequence[str]) -> dict[str, int | None]:
        """Return the same of many containers, by their ids."""

    def changes(self, *projects: str) -> AbstractContextManager[Changes]:
        """Follow what happens to the projects' containers, where there are several perhaps to those of others as well."""

    def last_lines(self, id: str, count: int, since: float = 0.0) -> tuple[str, ...]:
        """Return the last lines that a container wrote since a time, in seconds since the epoch; no control characters."""


class ChosenVariant(NamedTuple):
    """A variant other than the default one, and the environment that its service gets for it."""

    name: str
    environment: dict[str, str]


class StartFailed(Exception):
    """The engine could not start a container; the message is its reason."""


class ComposeFailed(Exception):
    """Compose ran and reported a failure; the message is its exit code and the last line that it wrote.

    That line is Compose's own text, without control characters and shortened: what it quotes of the files stands in it.
    """


class Compose(Protocol):
    """The Compose verbs that change something; always by service name. Raises ComposeFailed when Compose reports one."""

    def prepare(self) -> None:
        """Get ready for the first verb, in the background."""

    def create(self, services: Sequence[str], variants: Mapping[str, ChosenVariant], anew: bool = False) -> None:
        """Create the containers of these services without starting any; replaces outdated stopped ones, builds nothing.

        `variants` are by service. The container of one carries the label `spark-mode.variant`. With `anew` all are replaced;
        the volumes that have no name go over to their successors.
        """

    def start(self, *services: str) -> None:
        """Start these services alone, with the containers that exist; never create, build or pull."""

    def stop(self, service: str, seconds: int) -> None:
        """Stop one service with its own grace; `seconds` is how long that may take in all."""


class Machine(Protocol):
    """The memory of the machine that the engine runs on."""

    def memory(self) -> Memory:
        """Return the bytes of memory and swap, None where they cannot be read."""

    def processes(self, least: int) -> tuple[Process, ...]:
        """Return the processes that hold at least so many bytes of their own."""

    def process(self, pid: int) -> Process | None:
        """Return one process, without a size; None when it is gone."""

    def shared_memory(self) -> int:
        """Return the bytes of files in the machine's shared memory."""

    def may_drop_caches(self) -> bool:
        """Whether this user may have the page cache given back."""

    def drop_caches(self) -> None:
        """Have the kernel write what is dirty and give the page cache back. Raises OSError."""


class PlainCommand(Protocol):
    """A command of the user, in a process group of its own."""

    @property
    def group(self) -> int:
        """The number of its group, and of the process that leads it; 0 before it was made."""

    def make(self) -> int:
        """Have its process there, which does nothing yet and ends with whoever made it; return its number. Raises StepFailed."""

    def drop(self) -> None:
        """Have it never run. Does nothing once it runs, or was never made."""

    def run(self) -> int:
        """Let it run, in the foreground and with the signals that come, and return its exit code, 128+n after a signal."""


class Clock(Protocol):
    """Monotonic time and waiting."""

    def now(self) -> float:
        """Return monotonic seconds."""

    def sleep(self, seconds: float) -> None:
        """Wait so long."""
