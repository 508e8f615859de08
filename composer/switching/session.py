"""One lab on one machine, from its files to a finished switch: what every command works with."""

from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from composer.engine.compose_files import ComposeFiles
from composer.engine.docker import EngineApi
from composer.engine.doors import Clock, Docker, Gpu, Identity, Machine, ModelHost, Other
from composer.engine.gpu import NvidiaGpu
from composer.engine.local import local_socket
from composer.engine.machine import HostMemory, SystemClock
from composer.errors import ConfigurationError, EngineUnavailable, Refused, SparkModeError, UsageFault
from composer.lab.files import LabFiles
from composer.lab.project import Project
from composer.lab.rules import Rules
from composer.planning.mode import current_mode
from composer.planning.observed import Holder, Observed
from composer.planning.plan import Plan, Refusal, StoppedTraining
from composer.planning.planner import plan as make_plan
from composer.planning.request import Request
from composer.switching.holders import find_holders, holders_text
from composer.switching.lock import Directories, Lock, children_lock, directories, switch_lock
from composer.switching.measurements import Measurement, add_measurements
from composer.switching.observe import Observer
from composer.switching.report import Confirm, Report, SwitchOptions, Watcher
from composer.switching.rules_file import machine_capacity, read_rules_file
from composer.switching.state import State, after, before_of, read_state, write_state

if TYPE_CHECKING:
    from composer.switching.doors import Doors

_FAULTS = {"rule": Refused, "configuration": ConfigurationError, "unknown": EngineUnavailable}


def refuse(refusal: Refusal) -> SparkModeError:
    """Return the error, with its exit code, for a refusal that stands on a plan."""
    return _FAULTS[refusal.kind](refusal.message, refusal.hint)


class Session:
    """A lab in hand. `project_fault` is what is wrong with its Compose files, where that was allowed at opening."""

    def __init__(self, files: LabFiles, rules: Rules, socket: str) -> None:
        self.files, self.rules, self.socket = files, rules, socket
        self.docker: Docker = EngineApi(socket)
        self.machine: Machine = HostMemory()
        self.gpu: Gpu = NvidiaGpu()
        self.clock: Clock = SystemClock()
        self.project = Project(name=files.project_name or "")
        self.project_fault: SparkModeError | None = None
        self.compose_version = ""

    @classmethod
    def open(cls, files: LabFiles, prefetch: ComposeFiles | None = None, need_project: bool = True) -> "Session":
        """Read the rules and the Compose project.

        Raises ConfigurationError for both, and EngineUnavailable without a `docker` command. With `need_project` False
        a broken Compose file is kept as `project_fault`: a stop never needs a valid one.
        """
        socket = local_socket()
        source = prefetch or ComposeFiles(files, socket)
        source.prefetch()
        session = cls(files, read_rules_file(files.rules), socket)
        try:
            session.project = source.read()
            session.compose_version = source.version
        except SparkModeError as error:
            if need_project:
                raise
            session.project_fault = error
            session.project = Project(name=session._name_by_labels())
        return session

    def _name_by_labels(self) -> str:
        """Find the project's name where Compose cannot tell it: given, or on the containers made from these files."""
        if self.files.project_name:
            return self.files.project_name
        name = next(filter(None, (self.docker.project_of_file(file) for file in self.files.compose)), None)
        if name is None and self.project_fault:
            raise self.project_fault
        return name or ""

    @cached_property
    def capacity(self) -> int:
        """The machine's memory that budgets reckon with, in bytes."""
        return machine_capacity(self.rules)

    @cached_property
    def directories(self) -> Directories:
        """Where locks and state lie."""
        return directories()

    @cached_property
    def _identity(self) -> Identity:
        return self.docker.identity()

    def identity(self) -> Identity:
        """Return which engine answers. Raises EngineUnavailable."""
        return self._identity

    @property
    def _state_path(self) -> Path:
        return self.directories.state / f"{_key(self._identity)}.{self.project.name}.state.json"

    @property
    def state(self) -> State:
        """What the last switch wanted. Raises EngineUnavailable: it belongs to an engine."""
        return read_state(self._state_path)

    @property
    def observer(self) -> Observer:
        """Who looks at this lab."""
        return Observer(self.docker, self.machine, _host_at, self.project, self.rules, self.state.models)

    def observe(self) -> Observed:
        """Return what is there now. Raises EngineUnavailable."""
        return self.observer.look()

    def others(self) -> tuple[Other, ...]:
        """Return the active containers that are not of this lab's project."""
        return self.docker.others(self.project.name)

    def plan(self, request: Request) -> Plan:
        """Return the plan as things are now; without an engine it says what fits (`observed` is False)."""
        try:
            observed = self.observe()
        except EngineUnavailable:
            observed = Observed(complete=False, memory=self.machine.memory())
        return self._explained(self.plan_for(request, observed), observed)

    def plan_for(self, request: Request, observed: Observed) -> Plan:
        """Return the plan for things as they were observed."""
        return make_plan(request, self.project, self.rules, observed, self.capacity)

    def _explained(self, plan: Plan, observed: Observed) -> Plan:
        """Return a plan that names who holds the memory which is missing."""
        if plan.refusal is None or not plan.refusal.measured or not observed.complete:
            return plan
        text = f"{plan.refusal.message}\n{holders_text(self.holders(observed), observed.memory)}"
        return plan.model_copy(update={"refusal": plan.refusal.model_copy(update={"message": text})})

    def holders(self, observed: Observed) -> tuple[Holder, ...]:
        """Return who holds memory that no workload declares."""
        return find_holders(self.docker, self.machine, self.gpu, self.project, observed)

    @property
    def measurements_path(self) -> Path:
        """Where what was measured is kept."""
        return self.directories.state / f"{_key(self._identity)}.{self.project.name}.measured.jsonl"

    def restore_request(self) -> Request:
        """Return the request for the mode before. Raises UsageFault when none is known."""
        before = self.state.before
        if before is None:
            raise UsageFault("there is no mode before: nothing was switched here yet", "ask for a mode: spark-mode audio PROFILE")
        return Request(verb="restore", names=before.services, extra=before.models, variants=before.variants)

    def switch(self, request: Request, options: SwitchOptions, watcher: Watcher, confirm: Confirm | None) -> Report:
        """Carry a request out. Raises the error, with its exit code, of whatever prevented it."""
        begun = self.clock.now()
        if request.drop_caches and not self.machine.may_drop_caches():
            raise Refused("only root may have the page cache given back", "use sudo, or leave --drop-caches out")
        agreed = self._agree(self._admitted(request, self.observe()), options, confirm)
        with self._lock(request, options, watcher) as lock:
            from composer.switching.switch import Switch  # after the lock: a busy one need not load it

            before = self.observe()
            plan = self._admitted(request, before)
            if unasked := [one.name for one in plan.stops_training if one not in agreed]:
                raise Refused(f"{', '.join(unasked)} started meanwhile and would be stopped", "look at it and ask again")
            watcher.planned(plan)
            switch = Switch(self._doors(), self.project, self.rules, self.observer, watcher, lock)
            was = before_of(before, self.project, self.rules)
            try:
                switch.run(plan, before, options.restore_on_failure)
            except SparkModeError:
                self._keep(switch.measured, watcher)
                if switch.left_changed:
                    seen = current_mode(self.observer.glance(), self.project, self.rules)
                    write_state(self._state_path, after(self.state, plan, was, seen))
                raise
            self._keep(switch.measured, watcher)
            seen = current_mode(self.observer.glance(), self.project, self.rules)
            if plan.steps or plan.models != self.state.models:
                write_state(self._state_path, after(self.state, plan, was, seen))
        return Report(
            request=plan.request,
            outcome="applied" if plan.steps else "unchanged",
            mode=seen,
            seconds=round(self.clock.now() - begun, 3),
            plan=plan,
            warnings=(*plan.warnings, *switch.warnings),
        )

    def _keep(self, measured: tuple[Measurement, ...], watcher: Watcher) -> None:
        try:
            add_measurements(self.measurements_path, measured)
        except ConfigurationError as error:
            watcher.warned(error.message)  # the switch is what it is, with or without its records

    def _admitted(self, request: Request, observed: Observed) -> Plan:
        plan = self._explained(self.plan_for(request, observed), observed)
        if plan.refusal:
            raise refuse(plan.refusal)
        return plan

    def _agree(self, plan: Plan, options: SwitchOptions, confirm: Confirm | None) -> tuple[StoppedTraining, ...]:
        """Return the training that may be stopped: the one question that is ever asked."""
        if not plan.stops_training or options.yes:
            return plan.stops_training
        names = ", ".join(one.name for one in plan.stops_training)
        if confirm is None:
            if plan.request.startswith("up "):
                raise Refused(f"{plan.request} would stop {names}, which runs", "add --yes to agree to that")
            return plan.stops_training
        if not confirm(plan.stops_training):
            raise Refused(f"{names} goes on; nothing was touched")
        return plan.stops_training

    def _lock(self, request: Request, options: SwitchOptions, watcher: Watcher) -> AbstractContextManager[Lock]:
        key = _key(self._identity)
        return switch_lock(self.directories.locks, key, str(request), options.wait_seconds, watcher, self.clock)

    def _doors(self) -> "Doors":
        from composer.engine.compose import ComposeVerbs  # only a switch needs it
        from composer.switching.doors import Doors

        lock = children_lock(self.directories.locks, _key(self._identity))
        files = self.files.model_copy(update={"project_name": self.project.name})
        compose = ComposeVerbs(files, self.socket, str(lock), str(self.directories.state))
        return Doors(docker=self.docker, compose=compose, machine=self.machine, gpu=self.gpu, hosts=_host_at, clock=self.clock)


def _host_at(address: str) -> ModelHost:
    from composer.engine.ollama import OllamaApi  # 60 ms, which only a lab with a running host pays

    return OllamaApi(address)


def _key(identity: Identity) -> str:
    """Return the engine's id as a file name."""
    return "".join(character if character.isalnum() else "-" for character in identity.id)[:64]
