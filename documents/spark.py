"""A simulated Spark at whose terminal somebody types: the command line is the real one, what it acts on is simulated.

So a screen in a document is what the program says, and the same on every machine.
"""

import io
import os
import pwd
import re
import shlex
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from types import SimpleNamespace
from typing import BinaryIO, Self

from spark_mode import wall_time
from spark_mode.cli.context import CliOptions
from spark_mode.cli.main import code_of
from spark_mode.cli.tables import within
from spark_mode.engine.docker import EngineApi
from spark_mode.engine.doors import HostedModel
from spark_mode.lab.joined import joined
from spark_mode.lab.places import may_name_projects
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_of_project import with_project
from spark_mode.lab.rules_reading import read_rules
from spark_mode.lab.service import Dependency, Healthcheck
from spark_mode.lab.size import GB, parse_size
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import Command
from spark_mode.planning.observed import running_workload
from spark_mode.session.session import Session
from spark_mode.sharing import lock
from spark_mode.sharing.process import group_runs
from tests.simulation.commands import SimulatedCommands
from tests.simulation.engine import Killed
from tests.simulation.guard import SimulatedGuard
from tests.simulation.lab import POLICIES, PROJECT, RULES, SimulatedSession, service
from tests.simulation.machine import Daemon, SimulatedMachine

ROOT = Path(__file__).parents[1]
MORNING = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
FOLDER = "/home/ann/audio-lab"
WIDTH = 100
MEMORY = 130_700_000_000
"""MemTotal of a Spark, and what its system holds when nothing of the lab runs."""
SYSTEM = 4 * GB
READY_SECONDS, LONGEST_SECONDS = 6.0, 60.0
"""How long a service takes to be ready of which rules.yaml says nothing, and at most: to wait for longer costs many looks."""


LAB = PROJECT.model_copy(
    update={
        "name": "audio-lab",
        "services": {
            name: one.model_copy(
                update={"stop_grace_seconds": 300.0} if name == "training" else {"healthcheck": Healthcheck(start_period=1200)}
            )
            for name, one in PROJECT.services.items()
        },
    }
)
"""The audio lab, whose models take their time to load, and whose training has time to write its checkpoint."""


OWN = Project(
    name="chat",
    services={
        "ollama": service("ollama"),
        "open-webui": service("open-webui", healthcheck=None, depends_on={"ollama": Dependency()}),
        "finetune": service("finetune", healthcheck=None, reserves_gpu=True, stop_grace_seconds=300.0),
    },
)
"""The lab of README.md: a chat page, the Ollama that it talks to, and a run that tunes a model."""


_HELPER = service("web-ui", healthcheck=None)
SEVERAL = joined(
    (
        Project(name="main", services={"training": service("training", "training", healthcheck=None, stop_grace_seconds=300.0)}),
        Project(name="comfy", services={"comfyui": service("comfyui")}),
        Project(name="llm", services={"web-ui": _HELPER, **{name: service(name) for name in ("vllm-chat", "vllm-code")}}),
    )
)
"""The lab of docs/projects.md."""


class Spark(SimulatedMachine):
    """A Spark with a lab, which lies in a folder and of which nothing runs yet."""

    least_sleep = 0.0  # what is shown took as long as it takes

    def __init__(self, project: Project = LAB, rules: Rules = RULES, folder: str = FOLDER) -> None:
        super().__init__(project, rules, MEMORY)
        self.policies, self.taken, self.folder = dict(POLICIES), SYSTEM, folder

    @property
    def today(self) -> datetime:
        """The time of day there."""
        return MORNING + timedelta(seconds=self.time)

    def memory_of(self, id: str) -> int | None:
        one = self._containers[id]
        known = running_workload(self.rules, one.service or "", one.variant)
        return known.footprint.planned if known else None

    def put(self, service: str, state: str, variant: str | None = None, id: str | None = None) -> Container:
        made = super().put(service, state, variant, id)
        grace = self.project.services[service].stop_grace_seconds
        self.change(made.id, address="172.18.0.2" if service == "ollama" else None, stop_seconds=int(grace))
        return made

    def last_lines(self, id: str, count: int, since: float = 0.0) -> tuple[str, ...]:
        return ("RuntimeError: CUDA error: out of memory",)

    def _answer(self) -> None:
        if not self.engine_answers:
            EngineApi("/var/run/nobody/docker.sock").identity()  # which says what is said then

    def host_at(self, address: str) -> "Ollama":
        return Ollama(self)

    def _begin(self, id: str, crash: bool = False) -> None:
        super()._begin(id, crash)
        self.change(id, started_at=self.today.isoformat())
        known = self.rules.of_service(self._containers[id].service or "")
        self._ready_at[id] = self.time + min(
            LONGEST_SECONDS, known.load_seconds if known and known.load_seconds else READY_SECONDS
        )

    def _stop(self, id: str) -> None:
        super()._stop(id)
        if self._containers[id].service == "ollama":
            self.daemon.clear()


class Ollama(Daemon):
    """The lab's Ollama: a model takes what rules.yaml plans for it."""

    def __init__(self, spark: Spark) -> None:
        super().__init__(spark)
        self._spark = spark

    def loaded(self) -> tuple[HostedModel, ...]:
        return tuple(HostedModel(model=name, size=size, context_length=8192) for name, size in self._spark.daemon.items())

    def load(self, model: str, seconds: float, tick: object) -> None:
        known = self._spark.rules.model_of("ollama", model)
        self._spark.daemon[model] = known.footprint.planned if known else GB


class Running(SimulatedCommands):
    """The plain commands, whose processes are real."""

    def live(self) -> tuple[Command, ...]:
        self._machine.commands[:] = [one for one in super().live() if group_runs(one.pid, one.began)]
        return tuple(self._machine.commands)


class Opened(SimulatedSession):
    """A lab in hand there, which remembers what was measured."""

    @cached_property
    def capacity(self) -> int:
        declared = self.rules.hardware.capacity
        return self.simulated.total if declared == "auto" else declared

    @property
    def commands(self) -> "Running":
        return Running(self.simulated)

    @property
    def measurements_path(self) -> Path:
        return self._folder / "measured.jsonl"


class Typed(CliOptions):
    """The options of a command that is typed at a Spark."""

    def __init__(self, spark: Spark, locks: Path) -> None:
        super().__init__()
        self._spark, self._locks = spark, locks

    def open(self, need_project: bool, lenient: bool) -> Session:
        session = Opened(self._spark, self._locks)
        session.files = session.files._replace(rules=f"{self._spark.folder}/rules.yaml")
        return session

    def rules(self) -> Rules:
        self.lab = f"lab     {self._spark.folder}"
        return self._spark.rules

    def project(self) -> Project | None:
        return self._spark.project


class Terminal:
    """Somebody's terminal at a Spark, `width` characters wide, in a lab's folder; it shows colours if it is told to.

    `code` is the exit code of the last command.
    """

    def __init__(self, spark: Spark, locks: Path, place: Path, width: int, colour: bool) -> None:
        self.spark, self._locks, self._place, self._width, self._colour = spark, locks, place, width, colour
        self.code = 0

    def type(self, line: str) -> str:
        """Return all that a command line prints, without the numbers of processes here."""
        name, *arguments = shlex.split(line, comments=True)
        assert name == "spark-mode", f"{line}: only spark-mode is typed here"
        with _there(self.spark, self._place, self._width, self._colour), _paper() as paper:
            with redirect_stdout(_Pen(paper, True)), redirect_stderr(_Pen(paper, False)), suppress(Killed):
                self.code = code_of(arguments, "spark-mode", Typed(self.spark, self._locks))
            paper.seek(0)
            text = paper.read().decode()
        text = text.replace("/var/run/nobody/", "/var/run/")
        return within(re.sub(r"\bprocess \d+", "process 4242", text), self._width)

    def session(self) -> Session:
        """Open the lab, as a command that is typed here does."""
        return Typed(self.spark, self._locks).session()

    def there(self) -> AbstractContextManager[None]:
        """Be where a command is that is typed here."""
        return _there(self.spark, self._place, self._width, self._colour)

    def happens(self, what: str) -> None:
        """Have something happen that no command does, in the words of `EVENTS`; else what happens is a command."""
        for words, event in EVENTS.items():
            if found := re.fullmatch(words, what):
                getattr(self, event)(*found.groups())
                return
        self.type(f"spark-mode {what}")

    def start(self, service: str) -> None:
        """Have somebody start a service by hand."""
        if self.spark.of(service) is None:
            self.spark.put(service, "created")
        self.spark.outside_start(service)

    def crash(self, service: str) -> None:
        """Have a service not come up from now on."""
        self.spark.sick.add(service)

    def take(self, size: str) -> None:
        """Have somebody else hold so much memory."""
        self.spark.taken += parse_size(size)

    def kill_at(self, effects: str) -> None:
        """Have the next command killed, before it has its effect of that number."""
        self.spark.kill_at = (self.spark.effects + int(effects), "before")

    def wait(self, minutes: str) -> None:
        """Have so many minutes pass."""
        self.spark.sleep(60 * int(minutes))

    def run_elsewhere(self, service: str, project: str) -> None:
        """Have a service of the lab's files run as one of another project."""
        other = Spark(self.spark.project.model_copy(update={"name": project}))
        other.put(service, "running")
        self.spark.neighbours = (other,)

    def guard(self) -> None:
        """Have a guard look once, and stop what it stops."""
        with _there(self.spark, self._place, self._width, self._colour):
            SimulatedGuard(self.spark, self._locks).look()

    def go_away(self) -> None:
        """Have the engine not answer."""
        self.spark.engine_answers = False


EVENTS = {
    r"somebody starts (\S+)": "start",
    r"(\S+) does not come up": "crash",
    r"somebody takes (\S+)": "take",
    r"the next one is killed at (\d+)": "kill_at",
    r"(\d+) minutes? pass(?:es)?": "wait",
    r"(\S+) runs under the name (\S+)": "run_elsewhere",
    r"the guard looks": "guard",
    r"Docker stops": "go_away",
}


@contextmanager
def _paper() -> Iterator[BinaryIO]:
    """Have all that is printed, by what a command runs as well, come on one paper in its order."""
    with TemporaryFile() as paper, ExitStack() as stack:
        for one in (1, 2):
            former = os.dup(one)
            stack.callback(os.close, former)
            stack.callback(os.dup2, former, one)
            os.dup2(paper.fileno(), one)
        yield paper


class _Pen(io.StringIO):
    """A stream that writes on a paper, beside others."""

    def __init__(self, paper: BinaryIO, is_terminal: bool) -> None:
        super().__init__()
        self._paper, self._is_terminal = paper, is_terminal

    def write(self, text: str) -> int:
        written = super().write(text)  # which takes no bytes, as no text does
        os.write(self._paper.fileno(), text.encode())
        return written

    def isatty(self) -> bool:
        return self._is_terminal


@contextmanager
def _there(spark: Spark, place: Path, width: int, colour: bool) -> Iterator[None]:
    """Be in the lab's directory, at that time, with nothing set but what the terminal is."""
    before = dict(os.environ)

    class Day(datetime):
        """Where the time of day is asked for."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(spark.today.timestamp(), tz)

    for name in [one for one in before if one.startswith(("COMPOSE_", "DOCKER_", "SPARK_MODE_")) or one == "NO_COLOR"]:
        del os.environ[name]
    paint = {"TERM": "xterm-256color", "FORCE_COLOR": "1"} if colour else {"TERM": "dumb", "NO_COLOR": "1"}
    os.environ |= {"COLUMNS": str(width), "LINES": "40", "TZ": "UTC", **paint}
    time.tzset()
    wall_time.datetime = Day  # type: ignore[attr-defined]  # what everybody asks for the time of day
    lock.pwd = SimpleNamespace(getpwuid=lambda _: SimpleNamespace(pw_name="ann"))  # type: ignore[attr-defined,assignment]  # and who
    try:
        with chdir(place):
            yield
    finally:
        wall_time.datetime, lock.pwd = datetime, pwd  # type: ignore[attr-defined]  # as they were
        os.environ.clear()
        os.environ.update(before)
        time.tzset()


@contextmanager
def terminal(width: int = WIDTH, colour: bool = False, rules: str | None = None) -> Iterator[Terminal]:
    """Sit down at a new Spark, in the audio lab or, where its `rules` are given as text, in a lab of your own."""
    with TemporaryDirectory() as locks, TemporaryDirectory() as own:
        spark, place = Spark(), ROOT
        if rules is not None:
            place = Path(own)
            (place / "compose.yaml").write_text("services: {}\n")  # nothing but its place is asked for
            (place / "rules.yaml").write_text(rules)
            project = SEVERAL if may_name_projects(rules) else OWN
            read = with_project(read_rules(rules, "rules.yaml", str, lambda: MEMORY), project)
            spark = Spark(project, read, f"/home/ann/{project.names[0]}")
        yield Terminal(spark, Path(locks), place, width, colour)
