"""The lab of the simulation: the audio lab's services with the real rules, used through the same session as the command."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from spark_mode.engine.beside_units import beside_units
from spark_mode.engine.compose_of_several import ComposeOfSeveral
from spark_mode.engine.doors import Compose, Gpu, Identity
from spark_mode.journal.journal import Journal
from spark_mode.lab.files import LabFiles
from spark_mode.lab.joined import joined
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_reading import read_rules
from spark_mode.lab.service import Dependency, Healthcheck, Service
from spark_mode.lab.size import GB
from spark_mode.lab.units import with_units
from spark_mode.planning.plan import StoppedTraining
from spark_mode.planning.request import ModeRequest, Request, RunRequest, StopRequest
from spark_mode.session.doors import Doors
from spark_mode.session.lab import Lab
from spark_mode.session.observe import Observer
from spark_mode.session.session import Session
from spark_mode.session.unread import with_unread
from spark_mode.sharing.directories import Directories
from spark_mode.sharing.lock import NAME, is_switching
from spark_mode.sharing.shared_file import open_lock, takes
from spark_mode.switching.attempt import Attempt
from spark_mode.switching.foreground import Ran, run_in_foreground
from spark_mode.switching.report import Report, SwitchOptions
from spark_mode.switching.switch import Switch
from spark_mode.switching.transaction import Transaction
from spark_mode.switching.watcher import Watcher
from tests.nobody import Nobody
from tests.simulation.commands import SimulatedCommand, SimulatedCommands
from tests.simulation.engine import FILE, Killed
from tests.simulation.machine import DAEMON, UNIT_AT, ComposeOf, NoGpu, NoModels, SimulatedMachine, SimulatedUnits

TEXT = (Path(__file__).parents[2] / "rules.yaml").read_text()
RULES = read_rules(TEXT, "rules.yaml", lambda name: name)
LARGE, UNIT = "llama3.1:70b", "served.service"
WITH_DAEMON = read_rules(
    TEXT.replace(f'model: "{LARGE}", host: ollama', f'model: "{LARGE}", host: daemon')
    .replace('2512-fp16", host: ollama', '2512-fp16", host: served')
    .replace(
        "hosts:\n", f"hosts:\n  daemon: {{address: '{DAEMON}'}}\n  served: {{unit: served.service, address: '{UNIT_AT}'}}\n"
    ),
    "rules.yaml",
    lambda name: name,
)
"""The rules of a lab whose largest model is served outside Docker, and another one by a unit of systemd."""
HELPED = ("chatterbox", "xtts", "qwen", "f5")
CHECK = Healthcheck(start_period=60)
TRAIN = RunRequest(name="training", title="python train.py")
POLICIES = {"omni": "unless-stopped", "xtts": "always", "whisper": "on-failure", "ollama": "unless-stopped"}


def service(name: str, *profiles: str, **more: object) -> Service:
    return Service.model_validate(
        {"name": name, "image": name, "profiles": profiles, "healthcheck": CHECK, "config_hash": f"hash of {name}", **more}
    )


PROJECT = Project(
    name="lab",
    services={
        "omni": service("omni", "omni", pre_stop=True, start_by_compose=True),
        **{name: service(name, name, depends_on={"ollama": Dependency()}, pre_stop=True) for name in HELPED},
        "whisper": service("whisper", *HELPED),
        "ollama": service("ollama", *HELPED),
        "training": service("training", "training", healthcheck=None),
    },
)
REQUESTS: list[Request] = [
    *(ModeRequest(mode="audio", profile=name) for name in ("omni", *HELPED)),
    ModeRequest(mode="training"),
    ModeRequest(mode="training", variant="large"),
    StopRequest(),
]


class SimulatedSession(Session):
    """A session on a simulated machine; `folder` has its locks."""

    def __init__(self, machine: SimulatedMachine, folder: Path) -> None:
        others = tuple(LabFiles(compose=(f"/{name}/compose.yaml",), rules="rules.yaml") for name in machine.project.names[1:])
        super().__init__(LabFiles(compose=(FILE,), rules="rules.yaml", others=others), "")
        self.rules, self.project = with_units(machine.rules, machine.project)
        self.units = SimulatedUnits(machine)
        self.docker = beside_units(machine, self.units, self.rules, self.project) if self.rules.units else machine
        self.rules = with_unread(self.rules, self.project, self.docker)
        self.machine, self.gpu, self.clock = machine, NoGpu(), machine
        self.hosts = machine.host_at
        self.simulated, self._folder = machine, folder

    @property
    def journal(self) -> Journal:
        return self.simulated.journal

    @property
    def commands(self) -> SimulatedCommands:
        return SimulatedCommands(self.simulated)

    @property
    def directories(self) -> Directories:
        return Directories(self._folder, self._folder, shared=False)

    @property
    def measurements_path(self) -> Path:
        return self._folder / "absent" / "measured"

    def read_again(self, after: float = 0.0) -> bool:
        former = self.project
        self.rules, self.project = with_units(self.simulated.rules, self.simulated.project)
        self.rules = with_unread(self.rules, self.project, self.docker)
        if changed := former != self.project:
            self.reload_journal()
        return changed

    def engine_now(self) -> Identity:
        return self.docker.identity()

    def doors(self) -> Doors:
        machine = self.simulated
        compose: Compose = ComposeOf(machine)
        if machine.project.parts:
            compose = ComposeOfSeveral(machine.project, {name: ComposeOf(machine) for name in machine.project.names})
        return Doors(docker=self.docker, compose=compose, machine=machine, gpu=NoGpu(), hosts=machine.host_at, clock=machine)


def switch_on(
    on: SimulatedMachine, watcher: Watcher | None = None, compose: Compose | None = None, gpu: Gpu | None = None
) -> Switch:
    """Return what carries out a plan on a machine, without a lock and with other doors where they are given."""
    doors = Doors(docker=on, compose=compose or ComposeOf(on), machine=on, gpu=gpu or NoGpu(), hosts=NoModels, clock=on)
    lab = Lab(on.project, on.rules, doors, observer_of(on))
    return Switch(lab, Attempt(SimulatedSession(on, Path("absent")), watcher or Nobody()))


def observer_of(on: SimulatedMachine) -> Observer:
    """Return who looks at a machine."""
    return Observer(on, on, NoModels, on.project, on.rules, ())


def machine(total: int = 128 * GB, rules: Rules = RULES) -> SimulatedMachine:
    """Return a machine with nothing on it."""
    made = SimulatedMachine(PROJECT, rules, total)
    made.policies = dict(POLICIES)
    return made


def two_projects(total: int = 128 * GB, rules: Rules = RULES) -> SimulatedMachine:
    """Return a machine with the same lab of two Compose projects: the training has one of its own."""
    services = {name: one for name, one in PROJECT.services.items() if name != "training"}
    trains = Project(name="trains", services={"training": PROJECT.services["training"]})
    made = SimulatedMachine(joined((PROJECT.model_copy(update={"services": services}), trains)), rules, total)
    made.policies = dict(POLICIES)
    return made


def two_names(total: int = 128 * GB) -> tuple[SimulatedMachine, SimulatedMachine]:
    """Return one machine twice: as the lab sees it under one name, and under another."""
    made = tuple(SimulatedMachine(PROJECT.model_copy(update={"name": name}), RULES, total) for name in ("aa", "bb"))
    for one, other in (made, made[::-1]):
        one.policies, one.neighbours = dict(POLICIES), (other,)
    return made[0], made[1]


class Agrees:
    """Somebody who agrees to every stop, and sees that nobody is kept waiting for the answer. `asked` counts the questions."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.asked = 0

    def __call__(self, training: tuple[StoppedTraining, ...]) -> bool:
        assert not is_switching(self._session.directories.locks), "a question under the lock"
        self.asked += 1
        return True


class Waits(Nobody):
    """Somebody who has to wait for the lock, which another one holds; once it is let go something has happened `meanwhile`."""

    def __init__(self, folder: Path, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self._held, self._meanwhile = open_lock(folder / NAME), meanwhile
        assert takes(self._held)

    def waiting(self, holder: str) -> None:
        self._meanwhile()
        os.close(self._held)


def ask(on: SimulatedMachine, folder: Path, request: Request, watcher: Watcher | None = None, /, **options: bool) -> Report:
    """Ask for a switch, as the command does in a process of its own; without `yes` somebody is asked, and agrees."""
    how = SwitchOptions.model_validate({"yes": True, **options})
    session = SimulatedSession(on, folder)
    return Transaction(session, how, watcher or Nobody(), None if how.yes else Agrees(session)).switch(request)


def run_command(
    on: SimulatedMachine, folder: Path, request: RunRequest = TRAIN, meanwhile: Callable[[], int] = int, **options: bool
) -> Ran:
    """Have a command run, as `run` does in a process of its own; `meanwhile` is what happens then, and gives its exit code.

    A command that waits ends with a spark-mode that is killed; one that runs goes on.
    """
    session, command = SimulatedSession(on, folder), SimulatedCommand(on, meanwhile)
    how = SwitchOptions.model_validate({"yes": True, "then": True, **options})
    try:
        return run_in_foreground(session, request, command, how, lambda: nullcontext(Nobody()))
    except Killed:
        command.drop()
        raise


def recover(on: SimulatedMachine, folder: Path) -> Report:
    """Ask for a recovery, as the command does in a process of its own."""
    return Transaction(SimulatedSession(on, folder), SwitchOptions(), Nobody(), None).recover()
