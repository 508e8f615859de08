"""With the gate before everybody who starts something, the two sides are never active together, whoever dies in between.

Compose asks the gate, and starts what it was allowed to start some time later, or dies; switches and recoveries go on
beside it, and are killed. Its processes are real ones, because a lease asks the kernel whether they live.
"""

import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spark_mode.enforcement.gate import judge
from spark_mode.errors import Refused, SparkModeError
from spark_mode.lab.size import GB
from spark_mode.planning.plan import Plan
from spark_mode.planning.request import ModeRequest, Request
from spark_mode.sharing.leases import PASSING_SECONDS
from spark_mode.sharing.lock import is_acting
from spark_mode.sharing.process import process_began
from spark_mode.switching.report import SwitchOptions
from spark_mode.switching.transaction import Transaction
from tests.deep import DEEP
from tests.in_memory import folder_in_memory
from tests.nobody import Nobody
from tests.simulation.engine import WHEN, Killed, When
from tests.simulation.lab import PROJECT, REQUESTS, SimulatedSession, ask, machine, recover, two_projects
from tests.simulation.machine import SimulatedMachine
from tests.simulation.test_histories import HISTORIES

SERVICES = tuple(PROJECT.services)
JUST_BEFORE = 0.5
"""How much later the engine does what a process asked for that has died, seconds: sooner than its lease is given up."""
SOON = 0.9
"""How much later Compose starts again what ran when it asked, seconds, after which it is gone: sooner than it is given up."""


class Starting(NamedTuple):
    """A `docker compose up` that was allowed to start a service."""

    process: "subprocess.Popen[bytes]"
    service: str


class GatedLab(RuleBasedStateMachine):
    """A lab in which nobody starts anything unasked."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = machine(48 * GB)
        self._made = ExitStack()
        self.folder = self._made.enter_context(folder_in_memory())
        self.starting: list[Starting] = []
        self.staying: list[Starting] = []

    @initialize(request=st.sampled_from(REQUESTS), projects=st.sampled_from([1, 2]))
    def a_mode(self, request: Request, projects: int) -> None:
        if projects == 2:
            self.machine = two_projects(48 * GB)
        ask(self.machine, self.folder, request)

    def teardown(self) -> None:
        for one in (*self.starting, *self.staying):
            end(one.process)
        self._made.close()

    # What is asked of spark-mode

    @rule(request=st.sampled_from(REQUESTS))
    def switch(self, request: Request) -> None:
        """What waits for nobody is not refused for it: the lease of a process that has died holds nothing up."""
        try:
            ask(self.machine, self.folder, request)
        except Refused as error:
            assert "about to start" not in error.message or self.starting
        except SparkModeError as error:
            assert error.message

    @rule(request=st.sampled_from(REQUESTS), effect=st.integers(0, 40), when=st.sampled_from(WHEN))
    def switch_that_is_killed(self, request: Request, effect: int, when: When) -> None:
        self.machine.kill_at = (self.machine.effects + effect, when)
        try:
            ask(self.machine, self.folder, request)
        except (Killed, SparkModeError):
            pass
        finally:
            self.machine.kill_at = None

    @rule()
    def recovery(self) -> None:
        try:
            recover(self.machine, self.folder)
        except SparkModeError as error:
            assert error.message

    # What Compose does

    @rule(service=st.sampled_from(SERVICES))
    def compose_asks(self, service: str) -> None:
        """What runs as it should Compose leaves alone, unless it has ended by the time that Compose would start it."""
        self.machine.sleep(0.01)
        process = subprocess.Popen(["sleep", "infinity"])
        began = process_began(process.pid)
        assert began is not None
        try:
            refusal = judge(SimulatedSession(self.machine, self.folder), service, process.pid, began)
        except SparkModeError as error:
            refusal = error.message
        if refusal is None and service not in self.machine.running():
            self.starting.append(Starting(process, service))
            return
        if refusal is None:  # it starts again what has ended until it gets there, soon
            self.machine.outside_start_later(service, SOON)
        end(process)

    @precondition(lambda self: self.starting)
    @rule(which=st.integers(0, 10), stays=st.booleans())
    def compose_starts(self, which: int, stays: bool) -> None:
        """It starts what it was allowed to, once, and ends, or stays to show what is written.

        Whoever else was allowed to start the same is about to: it starts again, soon, what has ended by then.
        """
        one = self.starting.pop(which % len(self.starting))
        for other in [also for also in self.starting if also.service == one.service]:
            self.starting.remove(other)
            self.machine.outside_start_later(other.service, SOON)
            end(other.process)
        if self.machine.of(one.service) is None:
            self.machine.put(one.service, "created", id=f"{one.service}-by-compose-{self.machine.time}")
        self.machine.outside_start(one.service)
        if stays:
            self.staying.append(one)
        else:
            end(one.process)

    @precondition(lambda self: self.starting)
    @rule(which=st.integers(0, 10), asked_for_it=st.booleans())
    def compose_dies(self, which: int, asked_for_it: bool) -> None:
        one = self.starting.pop(which % len(self.starting))
        end(one.process)
        if asked_for_it:
            self.machine.outside_start_later(one.service, JUST_BEFORE)

    # What others do, and misfortune

    @rule(service=st.sampled_from(SERVICES))
    def somebody_stops(self, service: str) -> None:
        self.machine.outside_stop(service)

    @rule(service=st.sampled_from(SERVICES), code=st.sampled_from([0, 1, 137]))
    def something_ends(self, service: str, code: int) -> None:
        self.machine.die(service, code)

    @rule(seconds=st.sampled_from([1.0, 30.0, 100_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.machine.sleep(seconds)

    # What must always hold

    @invariant()
    def the_sides_are_never_active_together(self) -> None:
        running = self.machine.running()
        assert "training" not in running or set(running) == {"training"}

    @invariant()
    def no_start_of_ours_broke_a_promise(self) -> None:
        assert self.machine.wrongs == []


def end(process: "subprocess.Popen[bytes]") -> None:
    """kill -9, and nothing is left of it."""
    process.kill()
    process.wait()


class GoesOn(Nobody):
    """Sees whether the holder of the lock is known to go on when its plan is made."""

    def __init__(self, machine: SimulatedMachine, locks: Path) -> None:
        super().__init__()
        self._machine, self._locks = machine, locks
        self.at_the_plan = False

    def planned(self, plan: Plan) -> None:
        self.at_the_plan = is_acting(self._locks, self._machine)


def test_a_compose_whose_service_ran_when_it_asked_is_waited_for_before_the_other_side_starts(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, ModeRequest(mode="audio", profile="omni"))
    process = subprocess.Popen(["sleep", "infinity"])
    try:
        began = process_began(process.pid)
        assert began is not None
        assert judge(SimulatedSession(one, tmp_path), "omni", process.pid, began) is None
        one.outside_start_later("omni", PASSING_SECONDS / 2)
        goes_on = GoesOn(one, tmp_path)
        Transaction(SimulatedSession(one, tmp_path), SwitchOptions(yes=True), goes_on, None).switch(ModeRequest(mode="training"))
        assert goes_on.at_the_plan, "it waits no longer, and the guard is not to act beside it"
        one.sleep(PASSING_SECONDS)
        assert set(one.running()) == {"training"}
        asked_at = one.time
        ask(one, tmp_path, ModeRequest(mode="audio", profile="omni"))
        assert one.time - asked_at < PASSING_SECONDS, "it stays to show what is written, and is not waited for again"
    finally:
        end(process)


TestGateHistories = GatedLab.TestCase
TestGateHistories.settings = settings(
    max_examples=HISTORIES if DEEP else HISTORIES * 2 // 3,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
