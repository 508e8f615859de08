"""One lab on one machine, from its files to a finished switch: what every command works with."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from spark_mode.engine.docker import EngineApi
from spark_mode.engine.doors import Clock, Docker, Gpu, Identity, Machine, PlainCommand, Units
from spark_mode.engine.gpu import NvidiaGpu
from spark_mode.engine.local import local_socket
from spark_mode.engine.machine import MachineMemory, SystemClock
from spark_mode.errors import ConfigurationError, EngineUnavailable, SparkModeError, UsageFault
from spark_mode.journal.coming_back import with_end_said
from spark_mode.journal.journal import Journal, JournalFailed, JournalState, UnfinishedSwitch, journal_state
from spark_mode.journal.journal_file import JournalFile
from spark_mode.journal.names_of_now import in_names_of_now
from spark_mode.journal.state import State
from spark_mode.journal.understanding import require_understood
from spark_mode.lab.files import LabFiles
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.unsaid_long_run import SAY_IT, UNSAID, unsaid_long_run
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import Command
from spark_mode.planning.job import Job
from spark_mode.planning.mode import current_mode, mode_services
from spark_mode.planning.observed import Hold, MemoryUser, Observed
from spark_mode.planning.plan import Plan
from spark_mode.planning.planner import plan as make_plan
from spark_mode.planning.request import Request, RestoreRequest
from spark_mode.session.forgiveness import Forgiveness
from spark_mode.session.inputs import digests
from spark_mode.session.memory_users import find_memory_users, memory_of_containers, memory_users_text
from spark_mode.session.observe import Hosts, Observer, containers_of, host_at, loaded_outside
from spark_mode.session.prefetch import PendingAnswers, ask_compose
from spark_mode.session.reading import read_lab
from spark_mode.session.rules_file import machine_capacity
from spark_mode.session.several import lab_of_rules
from spark_mode.session.unit_rights import permitted
from spark_mode.session.unread import with_unread
from spark_mode.sharing.children import children_lock
from spark_mode.sharing.commands import Commands
from spark_mode.sharing.directories import Directories, directories
from spark_mode.sharing.disk import LOCK_SECONDS, RealDisk
from spark_mode.sharing.ended_jobs import EndedJobs
from spark_mode.sharing.leases import Leases
from spark_mode.sharing.lock import is_switching

if TYPE_CHECKING:
    from spark_mode.session.doors import Doors
    from spark_mode.session.lab import Lab

READ_AGAIN_SECONDS = 5.0
"""After so long, such as a wait for the lock or an answer, Compose is asked again: its files may include others."""


class Session:
    """A lab in hand. `project_fault` is what is wrong with its Compose files, where that was allowed at opening.

    `command` is what `run` runs. `job` is in whose name this asks: what that one holds is not held against it.
    `journal_seconds` is how long is waited for somebody else who writes the journal.
    """

    rules: Rules
    project: Project

    def __init__(self, files: LabFiles, socket: str) -> None:
        self.files, self.socket = files, socket
        self._engine = EngineApi(socket)
        self.docker: Docker = self._engine
        self.machine: Machine = MachineMemory()
        self.gpu: Gpu = NvidiaGpu()
        self.clock: Clock = SystemClock()
        self.hosts: Hosts = host_at
        self.command: PlainCommand | None = None
        self.job: Job | None = None
        self.project_fault: SparkModeError | None = None
        self.forgiveness = Forgiveness()
        self.journal_seconds = LOCK_SECONDS
        self.compose_version = ""
        self.inputs: dict[str, str] = {}
        self._read_at = 0.0

    @classmethod
    def open(
        cls, files: LabFiles, asked: PendingAnswers | None = None, need_project: bool = True, lenient: bool = False
    ) -> "Session":
        """Read the rules and the Compose project.

        Raises ConfigurationError for both, and EngineUnavailable without a `docker` command. With `need_project` False
        a broken Compose file is kept as `project_fault`: a stop never needs a valid one, and `lenient` no valid rules either.
        """
        session = cls(files, local_socket())
        session.forgiveness.granted = lenient
        session._read(files, asked or ask_compose(files), need_project)
        return session

    def _read(self, files: LabFiles, asked: PendingAnswers, need_project: bool) -> None:
        """Take over what is read, once all of it is."""
        found = read_lab(files.rules, asked, self._name_by_labels, need_project, self.forgiveness.forgive)
        self.rules, self.project, self.compose_version, self.project_fault, self.inputs = found
        self.docker = self._engine
        if self.rules.units:
            from spark_mode.engine.beside_units import beside_units  # which only a lab with a unit pays for

            self.docker = beside_units(self._engine, self.units, self.rules, self.project)
        self.rules = with_unread(self.rules, self.project, self.docker)
        self.files, self._read_at = files, self.clock.now()
        self.__dict__.pop("capacity", None)
        self.reload_journal()

    def read_again(self, after: float = READ_AGAIN_SECONDS) -> bool:
        """Read the files again where they changed, or may have; return whether the lab is another one now.

        Raises ConfigurationError and EngineUnavailable as `open` does; what was read before counts then.
        """
        if digests(map(Path, self.inputs)) == self.inputs and self.clock.now() - self._read_at < after:
            return False
        former = (self.rules, self.project)
        files = lab_of_rules(self.files.rules) or self.files.each[0]
        self._read(files, ask_compose(files), need_project=self.project_fault is None)
        return former != (self.rules, self.project)

    def _name_by_labels(self, files: LabFiles) -> str | None:
        """Find a project's name where Compose cannot tell it: given, or on the containers made from these files."""
        if files.project_name:
            return files.project_name
        return next(filter(None, (self.docker.project_of_file(file) for file in files.compose)), None)

    @cached_property
    def capacity(self) -> int:
        """The machine's memory that budgets reckon with, in bytes."""
        return machine_capacity(self.rules)

    @cached_property
    def directories(self) -> Directories:
        """Where locks and state lie; where they should, for those who are not held up by what is broken."""
        return directories(forgive=self.forgiveness.forgive, own_too=True)

    @cached_property
    def _identity(self) -> Identity:
        return self.docker.identity()

    def identity(self) -> Identity:
        """Return which engine answers. Raises EngineUnavailable."""
        return self._identity

    def engine_now(self) -> Identity:
        """Ask anew which engine answers: one that was away may have been replaced. Raises EngineUnavailable."""
        return EngineApi(self.socket).identity()

    @cached_property
    def engine_key(self) -> str:
        """The engine's id as a file name. Raises EngineUnavailable."""
        return "".join(character if character.isalnum() else "-" for character in self._identity.id)[:64]

    @property
    def journal(self) -> Journal:
        """What this lab's switches wrote down. Raises EngineUnavailable: it belongs to an engine."""
        path = self.directories.state / f"{self.engine_key}.{self.project.name}.journal"
        return JournalFile(path, RealDisk(self.journal_seconds))

    @property
    def commands(self) -> Commands:
        """The plain commands that run as workloads: on the machine, or in a lab of its own. Raises EngineUnavailable."""
        own = f"{self.engine_key}.{self.project.name}." if self.rules.scope == "project" else ""
        return Commands(self.directories.locks / f"{own}commands.json")

    @property
    def leases(self) -> Leases:
        """What others were allowed to start: on the machine, or in a lab of its own. Raises EngineUnavailable."""
        locks = self.directories.locks
        places = (locks / "leases.json", locks / f"{self.engine_key}.{self.project.name}.leases.json")
        path, former = places[::-1] if self.rules.scope == "project" else places
        return Leases(path, former, self.project.names)

    @property
    def ended_jobs(self) -> EndedJobs:
        """The jobs of a queue that have ended in this lab. Raises EngineUnavailable."""
        return EndedJobs(self.directories.state / f"{self.engine_key}.{self.project.name}.jobs.json")

    @cached_property
    def journal_state(self) -> JournalState:
        """What the journal said when it was first asked for, or after `reload_journal`, in the names of now."""
        try:
            return in_names_of_now(journal_state(self.journal.records()), self.project)
        except JournalFailed as error:
            self.forgiveness.forgive(ConfigurationError(str(error), error.fix))
            return JournalState()

    def reload_journal(self) -> None:
        """Forget what was read of the journal."""
        self.__dict__.pop("journal_state", None)

    @property
    def state(self) -> State:
        """What the last switch left."""
        return self.journal_state.state

    @property
    def cut_off(self) -> UnfinishedSwitch | None:
        """The switch that began and neither ended nor runs now."""
        unfinished = self.journal_state.unfinished
        return unfinished if unfinished and not is_switching(self.directories.locks) else None

    @property
    def own_commands(self) -> tuple[Command, ...]:
        """The commands of this lab that run. Raises ConfigurationError when what is written of them cannot be read."""
        return tuple(one for one in self.commands.live() if one.project == self.project.name)

    @property
    def awaited_commands(self) -> tuple[Command, ...]:
        """The commands after which what ran before is to come back. Raises as `own_commands` does."""
        return self.own_commands if self.journal_state.restores and self.journal_state.owed else ()

    @property
    def owes_restore(self) -> bool:
        """Whether a command has ended after which what ran before is to come back, and nobody has seen to it."""
        return self.journal_state.restores and self.journal_state.owed and not self.own_commands

    @property
    def observer(self) -> Observer:
        """Who looks at this lab."""
        known = self.journal_state
        admitted, leases = known.state.models, self.forgiveness.of(self.leases.live)
        files = {file: name for name, one in zip(self.project.names, self.files.each, strict=True) for file in one.compose}
        doors, lab = (self.docker, self.machine, self.hosts), (self.project, self.rules)
        commands = self.forgiveness.of(self.commands.live)
        holds = tuple(one for one in known.holds if self._is_in_force(one))
        return Observer(*doors, *lab, admitted, holds, leases, files, known.state.endings, commands)

    def _is_in_force(self, hold: Hold) -> bool:
        """Whether a hold counts for whoever asks here: not what his own job holds, or one that has ended."""
        return hold.job is None or not ((self.job and self.job.means(hold.job)) or hold.job in self.ended_jobs)

    def observe(self) -> Observed:
        """Return what is there now. Raises EngineUnavailable."""
        return self.observer.observe_all()

    def loaded_outside(self) -> frozenset[tuple[str, str]]:
        """Return what hosts outside Docker have loaded, as far as they say; the engine is not asked."""
        return loaded_outside(self.hosts, self.rules)

    def kept(self) -> tuple[str, ...]:
        """Return the services and models that stay in doubt, where two sides run: what the last switch left."""
        return (*mode_services(self.state.mode, self.project, self.rules), *self.state.models)

    def mode(self, observed: Observed) -> str:
        """Return the mode that the lab is in, as things were observed."""
        return current_mode(observed, self.project, self.rules)

    def containers(self) -> tuple[Container, ...]:
        """Return the containers of this lab. Raises EngineUnavailable."""
        return containers_of(self.project, self.docker)

    def plan(self, request: Request) -> Plan:
        """Return the plan as things are now; without an engine it says what fits (`observed` is False)."""
        try:
            observed = self.observe()
        except EngineUnavailable:
            observed = Observed(complete=False, memory=self.machine.memory())
        plan = self.judged(request, observed)
        if observed.complete:
            require_understood(self.journal_state, request)
        if observed.complete and (cut_off := self.cut_off):
            plan = plan.warned(f"{cut_off}; a switch recovers that first, and this plan is made from what runs now")
        if observed.complete and request.verb not in ("restore", "stop") and self.owes_restore:
            note = "a command has ended, and a switch first brings back what ran before; this plan is made from what runs now"
            plan = plan.warned(note)
        return plan

    def plan_for(self, request: Request, observed: Observed) -> Plan:
        """Return the plan for things as they were observed."""
        plan = make_plan(request, self.project, self.rules, observed, self.capacity)
        return plan.warned(f"{UNSAID}; {SAY_IT}") if unsaid_long_run(self.rules) else plan

    def judged(self, request: Request, observed: Observed) -> Plan:
        """Return the plan with all that prevents it, and what it is the end of."""
        plan = self.permitted(request, self.explained(self.plan_for(request, observed), observed))
        if not observed.complete or self.owes_restore:  # without an engine it is not known whose journal it is
            return plan
        return with_end_said(self.journal_state, self.rules, request, plan)

    @cached_property
    def units(self) -> Units:
        """The units of systemd."""
        from spark_mode.engine.systemd import Systemd  # which only a lab with one pays for

        return Systemd()

    def permitted(self, request: Request, plan: Plan) -> Plan:
        """Return a plan that is refused where systemd would not have this user carry it out; a stop does what it can."""
        return permitted(plan, self.project, lambda: self.units, is_stop=request.verb == "stop")

    def explained(self, plan: Plan, observed: Observed) -> Plan:
        """Return a plan that names who holds the memory which is missing."""
        if plan.refusal is None or not plan.refusal.measured or not observed.complete:
            return plan
        text = f"{plan.refusal.message}\n{memory_users_text(self.memory_users(observed), observed.memory)}"
        return plan.model_copy(update={"refusal": plan.refusal.model_copy(update={"message": text})})

    def memory_users(self, observed: Observed) -> tuple[MemoryUser, ...]:
        """Return who holds memory that no workload declares."""
        return find_memory_users(self.docker, self.machine, self.gpu, observed)

    def memories_of(self, containers: Sequence[str]) -> dict[str, int | None]:
        """Return the bytes that each of these containers holds; None is unknown."""
        return memory_of_containers(containers, self.docker, self.machine, self.gpu)

    @property
    def measurements_path(self) -> Path:
        """Where what was measured is kept."""
        return self.directories.state / f"{self.engine_key}.{self.project.name}.measured.jsonl"

    def restore_request(self) -> RestoreRequest:
        """Return the request for the mode before. Raises UsageFault when there is none, NeedsAttention if it is not certain."""
        require_understood(self.journal_state)
        before = self.state.before
        if before is None:
            modes = ", ".join(self.rules.modes)
            raise UsageFault("there is no mode before: nothing was switched here yet", f"ask for a mode: {modes}")
        return RestoreRequest(names=before.services, extra=before.models, variants=before.variants, beside=before.beside)

    def lab(self) -> "Lab":
        """Return the lab in hand, as it was read last, with the doors that a switch uses."""
        from spark_mode.session.lab import Lab

        return Lab(self.project, self.rules, self.doors(), self.observer)

    def doors(self) -> "Doors":
        """Return the doors that a switch uses."""
        from spark_mode.engine.compose import ComposeVerbs  # only a switch needs it
        from spark_mode.engine.compose_of_several import ComposeOfSeveral
        from spark_mode.session.doors import Doors

        places = (self.socket, str(children_lock(self.directories.locks)), str(self.directories.state))
        verbs = {
            part.name: ComposeVerbs(files._replace(project_name=part.name), part, *places)
            for part, files in zip(self.project.parts or (self.project,), self.files.each, strict=True)
        }
        compose = ComposeOfSeveral(self.project, verbs) if self.project.parts else verbs[self.project.name]
        return Doors(docker=self.docker, compose=compose, machine=self.machine, gpu=self.gpu, hosts=self.hosts, clock=self.clock)
