"""A simulated machine behind the same doors as the real one: an engine, memory and time, deterministic, with faults."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from spark_mode.engine.doors import (
    ChosenVariant,
    GpuProcess,
    GpuReading,
    HostAbsent,
    HostedModel,
    HostFailed,
    Process,
    UnitFailed,
    UnitState,
)
from spark_mode.journal.journal_file import JournalFile
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import Command
from spark_mode.planning.observed import Memory, running_workload
from tests.simulation.disk import SimulatedDisk, forget
from tests.simulation.engine import SimulatedEngine

DAEMON = "http://127.0.0.1:1"
"""Where a model host outside Docker listens, in the labs that have one."""
UNIT_AT = "http://127.0.0.1:2"
"""Where one listens that systemd runs."""
JOURNAL_AT = Path("lab.journal")
JOURNAL_LIMIT = 8192
"""Bytes at which a journal begins anew: so few that it happens in most histories, and in the middle of switches."""


class SimulatedMachine(SimulatedEngine):
    """All doors of one machine. `wrongs` are starts by spark-mode that broke a promise, in words.

    `taken` bytes are held by others. `daemon` is what the model host at DAEMON has loaded, bytes by model; with `daemon_keeps` it
    unloads none. The one at UNIT_AT runs while `unit_runs`, and does not come up where `unit_fails`. What ends gives its memory
    back `lateness` seconds later. A stop beside the guard takes as many seconds as `graces` has for its service. `commands` are
    the plain ones that run, or are about to. The disk is full from the effect `disk_full_at` on, and cannot be used for the
    reason `disk_fault`, an error number. `before_write` is what others do just before somebody writes on it who finds so many
    `lines`, or more, ever written.
    """

    def __init__(self, project: Project, rules: Rules, total: int) -> None:
        super().__init__(project)
        self.rules, self.total = rules, total
        self.highest_overlap = 0
        self.taken = 0
        self.daemon: dict[str, int] = {}
        self.daemon_keeps = False
        self.unit_runs = self.unit_fails = False
        self.lateness = 0.0
        self.lingering: list[tuple[float, int]] = []
        self.graces: dict[str, float] = {}
        self.wrongs: list[str] = []
        self.disk_full_at: int | None = None
        self.disk_fault: int | None = None
        self.lines: list[str] = []
        self.commands: list[Command] = []
        self.before_write: dict[int, Callable[[SimulatedMachine], None]] = {}
        self.files: dict[str, bytes] = {}
        self.synced: dict[str, bytes] = {}
        self._journal: JournalFile | None = None

    @property
    def journal(self) -> JournalFile:
        """The journal of the lab's switches, on the machine's disk. It is one, because it remembers what each line says."""
        if self._journal is None:
            self._journal = JournalFile(JOURNAL_AT, SimulatedDisk(self), JOURNAL_LIMIT)
        return self._journal

    def fork(self) -> Self:
        other = super().fork()
        other._journal = None
        return other

    def write(self, name: str, text: bytes) -> None:
        """Have a line at the end of a file."""
        self.files[name] += text
        self.lines.append(text.decode())

    def replace(self, name: str, contents: bytes) -> None:
        """Have a file replaced as a whole, and synced."""
        self.files[name] = self.synced[name] = contents
        self.lines.append(f"{name} anew")

    def late(self, method: str, *arguments: object) -> None:
        """Have half of a line written, where its writer is killed in the middle of that; a file is replaced or it is not.

        Nor does a command begin, or count, whose maker was killed before it said so.
        """
        if method == "write":
            name, text = str(arguments[0]), bytes(arguments[1])  # type: ignore[call-overload]  # the arguments of `write`
            self.files[name] += text[: len(text) // 2]
        elif method not in ("replace", "_count", "_let_go"):
            super().late(method, *arguments)

    def lose_power(self, torn: int) -> None:
        """Have the machine go off in the middle of anything and start again; of the disk's last line `torn` bytes are there."""
        self.commands.clear()
        forget(self, torn)
        self.restart()

    def memory(self) -> Memory:
        return Memory(total=self.total, available=self._available())

    def change(self, id: str, **fields: object) -> None:
        before = self._held() if self.lateness else 0
        super().change(id, **fields)
        if self.lateness and (freed := before - self._held()) > 0:
            self.lingering.append((self.time + self.lateness, freed))

    def beside(self, name: str, act: Callable[[], None]) -> None:
        """Have the stop of a service done: at once, or when its grace is over."""
        if seconds := self.graces.get(name):
            self._later.append((self.time + seconds, "_run", (act,)))
        else:
            act()

    def _run(self, act: Callable[[], None]) -> None:
        act()

    def host_at(self, address: str) -> "Daemon | NoModels":
        """Return the host of models at an address."""
        if address == UNIT_AT and not self.unit_runs:
            return Absent(address)
        return Daemon(self) if address == DAEMON else NoModels(address)

    def _set_unit(self, runs: bool) -> None:
        self.unit_runs = runs
        if runs and "training" in self.running() and not self._overtaken:
            self.wrongs.append("the unit was started beside training")

    def _unload(self, model: str) -> None:
        if not self.daemon_keeps:
            self.daemon.pop(model, None)

    def processes(self, least: int) -> tuple[Process, ...]:
        return tuple(Process(pid=1, name=id_, user="root", container=id_, size=0) for id_ in sorted(self.unseen))

    def process(self, pid: int) -> Process | None:
        return None

    def shared_memory(self) -> int:
        return 0

    def may_drop_caches(self) -> bool:
        return True

    def drop_caches(self) -> None:
        self.acts.append("drop caches")

    def _available(self) -> int:
        lingering = sum(size for until, size in self.lingering if until > self.time)
        return self.total - self._held() - self.taken - sum(self.daemon.values()) - lingering

    def _held(self) -> int:
        return sum(one.size for one in self.commands) + sum(
            workload.footprint.planned
            for one in (self, *self.neighbours)
            for service, variant in one.running().items()
            if (workload := running_workload(self.rules, service, variant))
        )

    def of_others(self) -> tuple[object, ...]:
        return (self.taken, *self.daemon, self.unit_runs, *super().of_others())

    def _count(self, command: Command) -> None:
        self.commands.append(command)

    def _let_go(self) -> None:
        """Have a command begin, and hold that against the promises as a start."""
        self._judge(self.commands[-1].title)

    def started_by_us(self, container: Container) -> None:
        """Hold a start by spark-mode against the promises."""
        if container.active:
            self._judge(container.service or "")

    def _judge(self, name: str) -> None:
        running = [service for one in (self, *self.neighbours) for service in one.running()]
        running += [self._containers[id_].service or "" for id_ in self.unseen if id_ in self._containers]
        classes = [one.class_ for service in running if (one := self.rules.of_service(service))]
        classes += [other.labels["class"] for other in self.foreign] + [one.class_ for one in self.commands]
        both = min(classes.count("training"), classes.count("audio"))
        self.highest_overlap = max(self.highest_overlap, both)
        if both:
            self.wrongs.append(f"{name} was started beside the other side")
        is_training = name == "training" or name in {one.title for one in self.commands if one.class_ == "training"}
        if is_training and (self.daemon or self.unit_runs):
            self.wrongs.append(f"{name} was started beside {', '.join(self.daemon) or 'the unit'}")
        if self._available() < self.rules.limits.floor:
            self.wrongs.append(f"{name} was started through the floor")


class ComposeOf:
    """The Compose door of a simulated machine."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self._engine = engine

    def prepare(self) -> None:
        pass

    def create(self, services: Sequence[str], variants: Mapping[str, ChosenVariant], anew: bool = False) -> None:
        self._engine.create(services, variants, anew)

    def start(self, *services: str) -> None:
        for service in services:
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


class Daemon:
    """The model host outside Docker: any client has it load what it likes, and it unloads what it is told to."""

    def __init__(self, machine: SimulatedMachine) -> None:
        self._machine = machine

    def loaded(self) -> tuple[HostedModel, ...]:
        return tuple(HostedModel(model=name, size=size) for name, size in self._machine.daemon.items())

    def unload(self, model: str, seconds: float) -> None:
        self._machine.acts.append(f"unload {model}")
        self._machine.effect("_unload", model)
        if model in self._machine.daemon:
            self._machine.sleep(seconds)
            raise HostFailed(f"it still has {model} loaded")

    def load(self, model: str, seconds: float, tick: Callable[[], None]) -> None:
        tick()
        self._machine.acts.append(f"load {model}")
        self._machine.daemon[model] = 1


class SimulatedUnits:
    """systemd on a simulated machine, which has one unit."""

    def __init__(self, machine: SimulatedMachine) -> None:
        self._machine = machine

    def state(self, unit: str) -> UnitState:
        return UnitState("loaded", "active" if self._machine.unit_runs else "inactive")

    def start(self, unit: str, seconds: float) -> None:
        self._machine.acts.append(f"start {unit}")
        if self._machine.unit_fails:
            raise UnitFailed("it failed with result 'exit-code'")
        self._machine.effect("_set_unit", True)

    def stop(self, unit: str, seconds: float) -> None:
        self._machine.acts.append(f"stop {unit}")
        self._machine.effect("_set_unit", False)

    def fault(self, unit: str, verb: str) -> str | None:
        return None

    def listens(self, address: str) -> bool:
        return self._machine.unit_runs


class NoModels:
    """A host of models that has none and loads none."""

    def __init__(self, address: str) -> None:
        self.address = address

    def loaded(self) -> tuple[HostedModel, ...]:
        return ()

    def unload(self, model: str, seconds: float) -> None:
        pass

    def load(self, model: str, seconds: float, tick: Callable[[], None]) -> None:
        tick()


class Absent(NoModels):
    """Where nobody listens."""

    def loaded(self) -> tuple[HostedModel, ...]:
        raise HostAbsent(f"nobody listens at {self.address}")
