"""What a switch says while it runs and when it has failed: it is true of the lab as it was and as it is left."""

import signal
from collections.abc import Callable

import pytest

from spark_mode.errors import Interrupted, SwitchFailed
from spark_mode.lab.size import GB
from spark_mode.planning.plan import Plan
from spark_mode.planning.planner import plan as make_plan
from spark_mode.planning.request import ModeRequest, Request, StopRequest, UpRequest
from tests.nobody import Nobody
from tests.simulation.lab import PROJECT, RULES, machine, observer_of, switch_on
from tests.simulation.machine import ComposeOf, SimulatedMachine

OMNI, XTTS = ModeRequest(mode="audio", profile="omni"), ModeRequest(mode="audio", profile="xtts")
TRAINING, STOP = ModeRequest(mode="training"), StopRequest()


pytestmark = pytest.mark.usefixtures("in_the_foreground")


class Listener(Nobody):
    """Hears what is said about signals."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def signalled(self, what: str) -> None:
        self.heard.append(what)


class Signalled(ComposeOf):
    """A Compose during whose starts or stops of a service signals come."""

    def __init__(self, engine: SimulatedMachine, during: str, *numbers: int) -> None:
        super().__init__(engine)
        self._during, self._numbers = during, numbers

    def start(self, *services: str) -> None:
        for service in services:
            self._signal(f"start {service}")
        super().start(*services)

    def stop(self, service: str, seconds: int) -> None:
        self._signal(f"stop {service}")
        super().stop(service, seconds)

    def _signal(self, act: str) -> None:
        if act == self._during:
            for number in self._numbers:
                signal.raise_signal(number)


def switching(on: SimulatedMachine, request: Request, compose: ComposeOf, watcher: Nobody) -> Callable[[bool], None]:
    """Return what carries a request out, with or without a way back; a stop as the brake does."""
    before = observer_of(on).observe_all()
    plan: Plan = make_plan(request, PROJECT, RULES, before, 128 * GB)
    switch = switch_on(on, watcher, compose)

    def carry_out(restore: bool) -> None:
        if request.verb == "stop":
            switch.brake(plan)
        else:
            switch.run(plan, before, restore)

    return carry_out


def ran(*requests: Request) -> SimulatedMachine:
    one = machine()
    for request in requests:
        switching(one, request, ComposeOf(one), Nobody())(True)
    return one


def heard(on: SimulatedMachine, request: Request, during: str, *numbers: int, restore: bool = True) -> list[str]:
    """Return what is said at signals, whatever becomes of the switch."""
    listener = Listener()
    try:
        switching(on, request, Signalled(on, during, *numbers), listener)(restore)
    except (Interrupted, SwitchFailed) as error:
        assert error.message
    return listener.heard


def test_the_first_signal_says_which_step_ends_first_and_what_comes_then() -> None:
    (said,) = heard(ran(OMNI), TRAINING, "stop omni", signal.SIGINT)
    assert said == (
        "interrupted: waits for this step to end: stop omni, it has up to 10 s to end; then what ran before comes back. "
        "A second Ctrl-C leaves at once and brings nothing back; then: spark-mode recover"
    )


@pytest.mark.parametrize(
    ("former", "restore", "then"),
    [
        ((), True, "then what was started is stopped again"),
        ((), False, "then everything stays as it is, as asked"),
        ((TRAINING,), False, "then everything stays as it is, as asked"),
    ],
)
def test_nothing_is_said_to_come_back_where_nothing_ran_or_nothing_shall(
    former: tuple[Request, ...], restore: bool, then: str
) -> None:
    (said,) = heard(ran(*former), OMNI, "start omni", signal.SIGINT, restore=restore)
    assert said.startswith(f"interrupted: waits for this step to end: start omni; {then}. A second Ctrl-C leaves at once")


def test_a_signal_on_the_way_back_says_which_step_ends_first() -> None:
    one = ran(OMNI)
    one.sick.add("xtts")
    (said,) = heard(one, XTTS, "start omni", signal.SIGINT)
    assert said == (
        "it goes back already. It waits for this step to end: start omni; then the way back goes on. "
        "A second Ctrl-C leaves at once; then: spark-mode recover"
    )


def test_a_signal_at_a_stop_says_which_step_ends_first() -> None:
    (said,) = heard(ran(OMNI), STOP, "stop omni", signal.SIGINT)
    assert said == (
        "interrupted: waits for this step to end: stop omni, it has up to 10 s to end; then what was not stopped yet runs on. "
        "A second Ctrl-C leaves at once; then: spark-mode recover"
    )


@pytest.mark.parametrize(("request_", "during"), [(TRAINING, "stop omni"), (STOP, "stop omni")], ids=str)
def test_what_a_second_signal_has_left_is_said_with_what_finishes_it(request_: Request, during: str) -> None:
    on = ran(OMNI)
    with pytest.raises(Interrupted, match=f"left at once, during: {during}") as left:
        switching(on, request_, Signalled(on, during, signal.SIGINT, signal.SIGINT), Nobody())(True)
    assert left.value.hint
    assert left.value.hint.endswith("finish it or bring back what ran before: spark-mode recover")


@pytest.mark.parametrize(("request_", "during"), [(TRAINING, "stop omni"), (STOP, "stop omni")], ids=str)
def test_ctrl_z_says_that_nothing_is_held_up_and_ctrl_c_interrupts(request_: Request, during: str) -> None:
    (said,) = heard(ran(OMNI), request_, during, signal.SIGTSTP)
    assert said == ("a switch is not held up in the middle (now: stop omni, it has up to 10 s to end); Ctrl-C interrupts it")


def test_a_failed_start_on_an_idle_machine_says_that_nothing_ran_before() -> None:
    one = machine()
    one.sick.add("omni")
    with pytest.raises(SwitchFailed, match=r"\nNothing of the lab ran before, and nothing that was started does now\.$"):
        switching(one, OMNI, ComposeOf(one), Nobody())(True)
    assert one.running() == {}


def test_a_failed_start_that_stopped_nothing_says_that_what_ran_before_still_runs() -> None:
    one = ran(UpRequest(names=("whisper",)))
    one.sick.add("f5")
    with pytest.raises(SwitchFailed, match=r"\nWhat ran before still runs; nothing new does\.$"):
        switching(one, UpRequest(names=("f5",)), ComposeOf(one), Nobody())(True)
