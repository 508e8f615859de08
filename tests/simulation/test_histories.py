"""Whatever people, the engine and misfortune do to a lab, in any order: what spark-mode promises holds after every step."""

import os
from collections.abc import Callable
from contextlib import ExitStack

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from spark_mode.errors import SparkModeError
from spark_mode.journal.journal import journal_state
from spark_mode.lab.size import GB
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import ForeignContainer
from spark_mode.planning.request import Request, RestoreRequest, RunRequest, UpRequest
from tests.in_memory import folder_in_memory
from tests.simulation.broken import BROKEN, Broken, broken
from tests.simulation.engine import WHEN, Killed, When
from tests.simulation.guard import SimulatedGuard
from tests.simulation.lab import (
    HELPED,
    LARGE,
    PROJECT,
    REQUESTS,
    TRAIN,
    WITH_DAEMON,
    ask,
    machine,
    recover,
    run_command,
    two_projects,
)

SERVICES = tuple(PROJECT.services)
ASKED = (*REQUESTS, UpRequest(names=("whisper",)), UpRequest(names=("omni",)), UpRequest(names=("served",)), RestoreRequest())
MODELS = (LARGE, "a-stranger:latest")
"""What clients have the daemon outside Docker load."""
FOREIGN = ForeignContainer(
    container=Container(id="x", name="ssd-training", state="running"),
    image="ssd-tetris:1",
    labels={"org.spark-mode.workload": "training", "class": "training"},
    project=None,
)
COMMANDS = (TRAIN, TRAIN.model_copy(update={"size": 5 * GB}), RunRequest(name="whisper", title="serve.py", size=GB))
HISTORIES = int(os.environ.get("SPARK_MODE_HISTORIES", "60"))
"""How many are tried; `make test-deep` tries 10,000."""


class Lab(RuleBasedStateMachine):
    """A lab in which everything may happen between, and during, the switches."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = machine(48 * GB, WITH_DAEMON)
        self._made = ExitStack()
        self.folder = self._made.enter_context(folder_in_memory()) / "locks"
        self.folder.mkdir()
        self.guard = SimulatedGuard(self.machine, self.folder)

    @initialize(request=st.sampled_from(REQUESTS), projects=st.sampled_from([1, 2]))
    def a_mode(self, request: Request, projects: int) -> None:
        if projects == 2:
            self.machine = two_projects(48 * GB, WITH_DAEMON)
            self.guard = SimulatedGuard(self.machine, self.folder)
        ask(self.machine, self.folder, request)

    def teardown(self) -> None:
        self._made.close()

    def _ask(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Killed:
            pass
        except SparkModeError as error:
            assert error.message
        finally:
            self.machine.kill_at, self.machine.fail_at = None, None

    # What is asked of spark-mode

    @rule(request=st.sampled_from(ASKED), hold=st.sampled_from([False, False, True]))
    def switch(self, request: Request, hold: bool) -> None:
        self._ask(lambda: ask(self.machine, self.folder, request, hold=hold and request.verb != "stop"))

    @rule(request=st.sampled_from(ASKED), effect=st.integers(0, 40), when=st.sampled_from(WHEN))
    def switch_that_is_killed(self, request: Request, effect: int, when: When) -> None:
        self.machine.kill_at = (self.machine.effects + effect, when)
        self._ask(lambda: ask(self.machine, self.folder, request))

    @rule(request=st.sampled_from(ASKED), act=st.integers(0, 12), fault=st.sampled_from(["compose", "crash", "engine"]))
    def switch_that_fails(self, request: Request, act: int, fault: str) -> None:
        self.machine.fail_at, self.machine.fault = len(self.machine.acts) + act, fault
        self._ask(lambda: ask(self.machine, self.folder, request))
        self.machine.engine_answers = True

    @rule(request=st.sampled_from(ASKED), effect=st.integers(0, 40), torn=st.sampled_from([0, 1, 100, 10_000]))
    def switch_in_which_the_power_fails(self, request: Request, effect: int, torn: int) -> None:
        self.switch_that_is_killed(request, effect, "before")
        self.machine.lose_power(torn)

    @rule(request=st.sampled_from(ASKED), effect=st.integers(0, 20))
    def switch_with_a_full_disk(self, request: Request, effect: int) -> None:
        self.machine.disk_full_at = self.machine.effects + effect
        self._ask(lambda: ask(self.machine, self.folder, request))
        self.machine.disk_full_at = None

    @rule(request=st.sampled_from(ASKED), write=st.integers(0, 20), service=st.sampled_from(SERVICES))
    def switch_while_somebody_starts_something(self, request: Request, write: int, service: str) -> None:
        self.machine.before_write[len(self.machine.lines) + write] = lambda engine: engine.outside_start(service)
        self._ask(lambda: ask(self.machine, self.folder, request))
        self.machine.before_write.clear()

    @rule(request=st.sampled_from(ASKED), write=st.integers(4, 10), size=st.sampled_from([15 * GB, 30 * GB]))
    def switch_while_somebody_takes_memory(self, request: Request, write: int, size: int) -> None:
        self.machine.before_write[len(self.machine.lines) + write] = lambda engine: setattr(engine, "taken", size)
        self._ask(lambda: ask(self.machine, self.folder, request))
        self.machine.before_write.clear()

    @rule(request=st.sampled_from(ASKED), write=st.integers(0, 10), model=st.sampled_from(MODELS))
    def switch_while_a_client_has_a_model_loaded(self, request: Request, write: int, model: str) -> None:
        self.machine.before_write[len(self.machine.lines) + write] = lambda engine: engine.daemon.update({model: GB})
        self._ask(lambda: ask(self.machine, self.folder, request))
        self.machine.before_write.clear()

    @rule(command=st.sampled_from(COMMANDS), then=st.booleans())
    def a_command_that_ends(self, command: RunRequest, then: bool) -> None:
        self._ask(lambda: run_command(self.machine, self.folder, command, then=then))

    @rule(command=st.sampled_from(COMMANDS))
    def a_command_that_runs_on_without_us(self, command: RunRequest) -> None:
        def killed() -> int:
            raise Killed

        self._ask(lambda: run_command(self.machine, self.folder, command, killed))

    @rule(command=st.sampled_from(COMMANDS), effect=st.integers(0, 40), when=st.sampled_from(WHEN))
    def a_command_for_which_we_are_killed(self, command: RunRequest, effect: int, when: When) -> None:
        self.machine.kill_at = (self.machine.effects + effect, when)
        self._ask(lambda: run_command(self.machine, self.folder, command))

    @rule(command=st.sampled_from(COMMANDS), request=st.sampled_from(ASKED))
    def switch_while_a_command_runs(self, command: RunRequest, request: Request) -> None:
        def meanwhile() -> int:
            self._ask(lambda: ask(self.machine, self.folder, request))
            self._ask(self.guard.look)
            return 0

        self._ask(lambda: run_command(self.machine, self.folder, command, meanwhile))

    @rule()
    def all_commands_end(self) -> None:
        self.machine.commands.clear()

    @rule(effect=st.integers(0, 30), when=st.sampled_from(WHEN))
    def recovery_that_is_killed(self, effect: int, when: When) -> None:
        self.machine.kill_at = (self.machine.effects + effect, when)
        self._ask(lambda: recover(self.machine, self.folder))

    @rule()
    def recovery(self) -> None:
        """One that ended leaves nothing to recover; one that could not says so, and may be asked for again."""
        try:
            recover(self.machine, self.folder)
        except SparkModeError as error:
            assert error.message
            return
        acts = len(self.machine.acts)
        assert recover(self.machine, self.folder).outcome == "unchanged"
        assert len(self.machine.acts) == acts

    # What the guard does

    @rule(looks=st.integers(1, 3))
    def the_guard_looks(self, looks: int) -> None:
        """It starts nothing but what is to come back, which may be refused, and what it has settled breaks no rule any more."""
        for _ in range(looks):
            acts = len(self.machine.acts)
            did = self._looked()
            if did in ("settled", "refused"):
                assert self.guard.left() <= self.machine.undying | ({LARGE, "daemon"} if self.machine.daemon_keeps else set())
            if did not in ("restored", "refused"):
                assert not [act for act in self.machine.acts[acts:] if act.startswith(("create ", "up ", "start ", "unpause "))]

    def _looked(self) -> str:
        try:
            return self.guard.look()
        except SparkModeError as error:  # said, and tried again
            assert error.message
            return "refused"

    @rule(what=st.sampled_from(BROKEN), looks=st.integers(1, 3))
    def the_guard_looks_while_something_of_spark_mode_is_broken(self, what: Broken, looks: int) -> None:
        """It ends what breaks a rule all the same."""
        self.somebody_starts_the_other_side()
        with broken(what, self.machine, self.folder):
            self.the_guard_looks(looks)

    @rule(effect=st.integers(0, 6), when=st.sampled_from(WHEN))
    def the_guard_is_killed(self, effect: int, when: When) -> None:
        self.somebody_starts_the_other_side()
        self.machine.kill_at = (self.machine.effects + effect, when)
        self._ask(self.guard.look)
        self.guard = SimulatedGuard(self.machine, self.folder)

    @rule(act=st.integers(0, 4))
    def the_engine_goes_away_under_the_guard(self, act: int) -> None:
        self.somebody_starts_the_other_side()
        self.machine.fail_at, self.machine.fault = len(self.machine.acts) + act, "engine"
        self._ask(self.guard.look)
        self.machine.engine_answers = True

    @rule(request=st.sampled_from(ASKED), write=st.integers(0, 20))
    def switch_while_the_guard_looks(self, request: Request, write: int) -> None:
        self.machine.before_write[len(self.machine.lines) + write] = lambda _: self._ask(self.guard.look)
        self._ask(lambda: ask(self.machine, self.folder, request))
        self.machine.before_write.clear()

    @rule(request=st.sampled_from(ASKED), write=st.integers(0, 4))
    def the_guard_looks_while_somebody_switches(self, request: Request, write: int) -> None:
        self.somebody_starts_the_other_side()
        self.machine.before_write[len(self.machine.lines) + write] = lambda _: self._ask(
            lambda: ask(self.machine, self.folder, request)
        )
        self._ask(self.guard.look)
        self.machine.before_write.clear()

    @rule(seconds=st.sampled_from([0.0, 3.0, 100.0, 1000.0]))
    def memory_comes_back_late(self, seconds: float) -> None:
        self.machine.lateness = seconds

    # What others do

    @rule(service=st.sampled_from(SERVICES))
    def somebody_starts(self, service: str) -> None:
        self.machine.outside_start(service)

    @rule(services=st.sampled_from([("omni",), *((one, "whisper", "ollama") for one in HELPED), ("training",)]))
    def somebody_uses_compose(self, services: tuple[str, ...]) -> None:
        for service in services:
            if self.machine.of(service) is None:
                self.machine.put(service, "created", id=f"{service}-by-hand-{len(self.machine.acts)}")
            self.machine.outside_start(service)

    @rule()
    def somebody_starts_the_other_side(self) -> None:
        self.somebody_uses_compose(("omni",) if "training" in self.machine.running() else ("training",))

    @rule(service=st.sampled_from(SERVICES))
    def somebody_stops(self, service: str) -> None:
        self.machine.outside_stop(service)

    @rule(service=st.sampled_from(SERVICES))
    def somebody_pauses(self, service: str) -> None:
        one = self.machine.of(service)
        if one and one.state == "running":
            self.machine.change(one.id, state="paused")

    @rule(service=st.sampled_from(SERVICES), name=st.sampled_from(["renamed", "other"]))
    def somebody_renames(self, service: str, name: str) -> None:
        if one := self.machine.of(service):
            self.machine.change(one.id, name=f"{name}-{service}")

    @rule(service=st.sampled_from(SERVICES), revision=st.integers(1, 3))
    def somebody_edits_the_files(self, service: str, revision: int) -> None:
        project = self.machine.project
        edited = project.services[service].model_copy(update={"config_hash": f"hash {revision} of {service}"})
        self.machine.project = project.model_copy(update={"services": {**project.services, service: edited}})

    @rule(there=st.booleans())
    def somebody_runs_training_outside_the_lab(self, there: bool) -> None:
        self.machine.foreign = (FOREIGN,) if there else ()

    @rule(model=st.sampled_from(MODELS))
    def a_client_has_a_model_loaded(self, model: str) -> None:
        self.machine.daemon[model] = GB

    @rule(keeps=st.booleans())
    def a_daemon_keeps_what_it_has(self, keeps: bool) -> None:
        self.machine.daemon_keeps = keeps

    @rule(runs=st.booleans(), fails=st.booleans())
    def somebody_starts_or_stops_a_unit(self, runs: bool, fails: bool) -> None:
        self.machine.unit_runs, self.machine.unit_fails = runs, fails

    @rule(size=st.sampled_from([0, 5 * GB, 15 * GB, 30 * GB, 40 * GB]))
    def somebody_takes_memory(self, size: int) -> None:
        self.machine.taken = size

    # Misfortune

    @rule()
    def the_engine_restarts(self) -> None:
        self.machine.restart()

    @rule(service=st.sampled_from(SERVICES), code=st.sampled_from([0, 1, 137]))
    def something_ends(self, service: str, code: int) -> None:
        self.machine.die(service, code)

    @rule(service=st.sampled_from(SERVICES), sick=st.booleans())
    def health_flips(self, service: str, sick: bool) -> None:
        (self.machine.sick.add if sick else self.machine.sick.discard)(service)

    @rule(service=st.sampled_from(SERVICES), undying=st.booleans())
    def something_will_not_die(self, service: str, undying: bool) -> None:
        (self.machine.undying.add if undying else self.machine.undying.discard)(service)

    @rule(seconds=st.sampled_from([1.0, 30.0, 100_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.machine.sleep(seconds)

    # What must always hold

    @invariant()
    def no_start_of_ours_broke_a_promise(self) -> None:
        assert self.machine.wrongs == []

    @invariant()
    def the_journal_can_be_read(self) -> None:
        assert journal_state(self.machine.journal.records()).unreadable == 0

    @invariant()
    def what_was_disarmed_is_owed_its_own_policy(self) -> None:
        known = journal_state(self.machine.journal.records()).policies
        for one in self.machine._containers.values():
            own = self.machine.policies.get(one.service or "", "no")
            assert one.restart_policy == own or (one.restart_policy == "no" and known[one.id].policy == own)


TestHistories = Lab.TestCase
TestHistories.settings = settings(
    max_examples=HISTORIES, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
