"""A plain command is a workload: it holds the machine, and what ran before comes back whoever dies, and whenever."""

import signal
from collections.abc import Callable
from contextlib import nullcontext, suppress
from itertools import islice
from pathlib import Path

import pytest

from spark_mode.cli.show_status import status_text
from spark_mode.errors import Refused, SparkModeError, UsageFault
from spark_mode.journal.journal import journal_state
from spark_mode.lab.size import GB
from spark_mode.planning.request import ModeRequest, RestoreRequest, RunRequest, StopRequest, UpRequest
from spark_mode.reporting.status import status
from spark_mode.switching.foreground import run_in_foreground
from spark_mode.switching.report import SwitchOptions
from spark_mode.wall_time import seconds_since
from tests.deep import DEEP
from tests.nobody import Nobody
from tests.simulation.commands import SimulatedCommand, killed_while_it_runs
from tests.simulation.engine import Killed
from tests.simulation.guard import SimulatedGuard
from tests.simulation.lab import TRAIN, SimulatedSession, ask, machine, recover, run_command
from tests.simulation.machine import SimulatedMachine
from tests.simulation.test_crashes import killed_during

AUDIO = ModeRequest(mode="audio", profile="f5")
BESIDE = RunRequest(name="llama3.1:70b", title="serve.py")


@pytest.fixture
def lab() -> SimulatedMachine:
    """A machine on which audio runs."""
    return machine()


@pytest.fixture
def folder(tmp_path: Path, lab: SimulatedMachine) -> Path:
    ask(lab, tmp_path, AUDIO)
    return tmp_path


def left_running(lab: SimulatedMachine, folder: Path) -> None:
    """Have a command run on whose spark-mode was killed."""
    with pytest.raises(Killed):
        run_command(lab, folder, meanwhile=killed_while_it_runs)
    assert [one.title for one in lab.commands] == [TRAIN.title]


def by_the_guard(lab: SimulatedMachine, folder: Path) -> None:
    guard = SimulatedGuard(lab, folder)
    for _ in range(3):
        guard.look()


RESCUERS: dict[str, Callable[[SimulatedMachine, Path], object]] = {
    "recover": recover,
    "restore": lambda lab, folder: ask(lab, folder, RestoreRequest()),
    "the next switch": lambda lab, folder: ask(lab, folder, UpRequest(names=("whisper",))),
    "the guard": by_the_guard,
}
"""What comes after everybody has died."""
APART = 1 if DEEP else 3
"""Each of how many kills is tried with one of them; all of these with any of the others."""


def test_what_a_killed_run_is_to_bring_back_is_not_refused_because_a_recovery_came_first(tmp_path: Path) -> None:
    for kill in range(15, 45, 1 if DEEP else 3):
        one, folder = machine(), tmp_path / str(kill)
        folder.mkdir()
        ask(one, folder, AUDIO)
        audio, one.kill_at = one.running(), (one.effects + kill, "after")
        with suppress(Killed):
            run_command(one, folder)
        one.kill_at = None
        one.commands.clear()
        did = SimulatedGuard(one, folder).look()
        recover(one, folder)
        assert one.running() == audio, (kill, did)


def test_audio_stops_for_a_command_and_comes_back_when_it_has_ended(lab: SimulatedMachine, folder: Path) -> None:
    audio, seen = lab.running(), list[object]()

    def meanwhile() -> int:
        seen.append(lab.running())
        return 3

    ran = run_command(lab, folder, meanwhile=meanwhile)
    assert (ran.code, ran.fault, seen) == (3, None, [{}])
    assert ran.back
    assert ran.back.mode == str(AUDIO)
    assert lab.running() == audio
    assert lab.wrongs == []


@pytest.mark.parametrize("then", [True, False])
def test_what_ran_in_the_middle_of_a_command_is_no_mode_before(then: bool, lab: SimulatedMachine, folder: Path) -> None:
    audio = lab.running()
    run_command(lab, folder, then=then)
    for _ in range(3):
        ask(lab, folder, RestoreRequest())
        assert lab.running() == audio


def test_what_a_training_has_left_when_it_has_ended_is_no_mode_before(lab: SimulatedMachine, folder: Path) -> None:
    audio = lab.running()
    ask(lab, folder, ModeRequest(mode="training"), then=True)
    lab.die("training", 0)
    for _ in range(3):
        ask(lab, folder, RestoreRequest())
        assert lab.running() == audio


def test_a_training_that_is_given_up_for_what_ran_before_can_be_restored(lab: SimulatedMachine, folder: Path) -> None:
    ask(lab, folder, ModeRequest(mode="training"), then=True)
    ask(lab, folder, RestoreRequest())
    ask(lab, folder, RestoreRequest())
    assert set(lab.running()) == {"training"}


def test_without_then_nothing_comes_back_by_itself_and_restore_brings_it_back(lab: SimulatedMachine, folder: Path) -> None:
    audio = lab.running()
    assert run_command(lab, folder, then=False).back is None
    for rescuer in ("recover", "the guard"):
        RESCUERS[rescuer](lab, folder)
        assert lab.running() == {}
    ask(lab, folder, RestoreRequest())
    assert lab.running() == audio


@pytest.mark.parametrize(
    "request_", [AUDIO, UpRequest(names=("omni",)), RestoreRequest(), StopRequest(names=("training",))], ids=str
)
def test_while_it_runs_what_it_excludes_is_refused_with_who_runs_it(
    request_: ModeRequest | UpRequest | StopRequest, lab: SimulatedMachine, folder: Path
) -> None:
    left_running(lab, folder)
    with pytest.raises(Refused, match=r'the command "python train.py" of .* is running since') as refused:
        ask(lab, folder, request_)
    assert f"kill -- -{lab.commands[0].pid}" in (refused.value.hint or "")
    assert lab.running() == {}


def test_while_it_runs_on_alone_it_is_said_what_brings_back_what_ran_before(lab: SimulatedMachine, folder: Path) -> None:
    audio = lab.running()
    left_running(lab, folder)
    pid = lab.commands[0].pid
    assert f"wait for its end, or kill -- -{pid}; then: spark-mode recover" in (recover(lab, folder).note or "")
    said = status_text(status(SimulatedSession(lab, folder)))
    assert f"when the command has ended (kill -- -{pid} ends it)" in said
    assert "brings back what ran before; else: spark-mode recover" in said
    lab.commands.clear()
    recover(lab, folder)
    assert lab.running() == audio


def test_the_history_has_the_end_of_a_command_and_what_came_back_by_itself(lab: SimulatedMachine, folder: Path) -> None:
    run_command(lab, folder, meanwhile=lambda: 130)
    run_command(lab, folder, then=False, meanwhile=lambda: 0)
    assert [(one.request, one.outcome, one.note) for one in journal_state(lab.journal.history()).ended][-5:] == [
        (str(TRAIN), "applied", "and then restore"),
        (str(TRAIN), "ended", "exit code 130"),
        ("restore", "applied", "by itself, as a training or a command has ended"),
        (str(TRAIN), "applied", None),
        (str(TRAIN), "ended", "exit code 0"),
    ]


class Impatient(Nobody):
    """Presses Ctrl-C at once, and so often, when it hears what is waited for."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times

    def waiting(self, holder: str) -> None:
        assert TRAIN.title in holder
        for _ in range(self._times):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("in_the_foreground")
@pytest.mark.parametrize("times", [1, 2])
def test_the_exit_code_of_a_command_is_its_own_however_often_the_wait_for_what_it_left_is_interrupted(
    times: int, lab: SimulatedMachine, folder: Path
) -> None:
    session, command = SimulatedSession(lab, folder), SimulatedCommand(lab, lambda: 7, leaves=True)
    how = SwitchOptions(yes=True, then=True)
    ran = run_in_foreground(session, TRAIN, command, how, lambda: nullcontext(Impatient(times)))
    assert (ran.code, ran.back) == (7, None)
    assert ran.fault
    assert ran.fault.message.startswith("what the command has started goes on: ")
    assert f"{ran.fault.hint}".endswith("brings back what ran before; now: spark-mode recover")


def test_the_history_has_when_a_command_began_and_how_long_it_took(lab: SimulatedMachine, folder: Path) -> None:
    def trains() -> int:
        lab.sleep(3600.0)
        return 0

    run_command(lab, folder, then=False, meanwhile=trains)
    ended = journal_state(lab.journal.history()).ended[-1]
    began = seconds_since(ended.at)
    assert (ended.outcome, ended.seconds, began is not None and began >= 3600) == ("ended", 3600.0, True)


def test_the_end_of_a_command_says_what_stays_stopped(lab: SimulatedMachine, folder: Path) -> None:
    audio = lab.running()
    assert {*run_command(lab, folder, then=False).stopped} == {*audio}
    ask(lab, folder, RestoreRequest())
    assert run_command(lab, folder).stopped == ()


def test_a_stop_of_everything_leaves_it_and_says_so(lab: SimulatedMachine, folder: Path) -> None:
    left_running(lab, folder)
    lab.outside_start("f5")
    report = ask(lab, folder, StopRequest())
    assert (lab.running(), len(lab.commands), report.outcome) == ({}, 1, "applied")
    assert [one.split(" of ")[0] for one in report.warnings[:1]] == ['the command "python train.py"']
    again = ask(lab, folder, StopRequest())
    assert 'nothing of the lab is running; the command "python train.py"' in (again.note or "")


def test_it_holds_the_memory_that_it_was_given(lab: SimulatedMachine, folder: Path) -> None:
    left_running(lab, folder)
    declared = SimulatedSession(lab, folder).observe().copies(lab.rules)
    assert [(one.name, one.footprint.planned) for one in declared] == [("training", 12 * GB)]
    lab.commands.clear()
    with pytest.raises(Killed):
        run_command(lab, folder, TRAIN.model_copy(update={"size": 30 * GB}), meanwhile=killed_while_it_runs)
    declared = SimulatedSession(lab, folder).observe().copies(lab.rules)
    assert [(one.name, one.footprint.planned) for one in declared] == [("training", 30 * GB)]
    lab.commands.clear()
    with pytest.raises(Refused, match="does-not-fit"):
        run_command(lab, folder, TRAIN.model_copy(update={"size": 200 * GB}))


def test_a_second_command_obeys_the_rules_as_a_second_workload_does(lab: SimulatedMachine, folder: Path) -> None:
    audio = lab.running()
    left_running(lab, folder)
    with pytest.raises(Refused, match="it is training"):
        run_command(lab, folder)
    with pytest.raises(Refused, match="training runs alone"):
        run_command(lab, folder, RunRequest(name="xtts", title="speak.py"))
    with pytest.raises(UsageFault, match="is a model"):
        run_command(lab, folder, BESIDE)
    lab.commands.clear()
    recover(lab, folder)
    assert lab.running() == audio


def test_one_that_stops_nothing_leaves_what_another_one_is_to_bring_back(lab: SimulatedMachine, folder: Path) -> None:
    audio = lab.running()
    left_running(lab, folder)
    lab.commands[0] = lab.commands[0].model_copy(update={"workload": "devstral", "class_": "llm"})
    lab.rules = lab.rules.model_copy(update={"rules": ()})
    ran = run_command(lab, folder, meanwhile=lambda: len(lab.commands))
    assert (ran.code, ran.back) == (2, None)
    lab.commands.clear()
    recover(lab, folder)
    assert lab.running() == audio


@pytest.mark.parametrize("rescuer", RESCUERS)
def test_whenever_spark_mode_was_killed_what_ran_before_comes_back(rescuer: str, lab: SimulatedMachine, folder: Path) -> None:
    audio, runs = lab.running(), 0
    kills = killed_during(lab, folder, lambda one: run_command(one, folder))
    for one in islice(kills, [*RESCUERS].index(rescuer) % APART, None, APART):
        runs += 1
        one.commands.clear()  # the command, where it had begun, is killed as well
        if rescuer == "the guard" and journal_state(one.journal.records()).unfinished:
            recover(one, folder)  # which the guard leaves to whoever switches
        if rescuer == "restore" and one.running() == audio:
            continue  # which would bring back what ran before that
        RESCUERS[rescuer](one, folder)
        assert {**audio, "whisper": None} == {**one.running(), "whisper": None}, one.acts
        assert one.wrongs == []
    assert runs > 20 / APART


@pytest.mark.parametrize("rescuer", RESCUERS)
def test_what_lives_on_without_spark_mode_holds_the_machine_and_what_ran_before_comes_back_after_it(
    rescuer: str, lab: SimulatedMachine, folder: Path
) -> None:
    audio = lab.running()
    left_running(lab, folder)
    by_the_guard(lab, folder)
    recover(lab, folder)
    with pytest.raises(Refused):
        ask(lab, folder, AUDIO)
    assert lab.running() == {}
    lab.commands.clear()
    RESCUERS[rescuer](lab, folder)
    assert lab.running() == audio
    assert lab.wrongs == []


def test_a_rescue_that_is_killed_is_finished_by_the_next(lab: SimulatedMachine, folder: Path) -> None:
    audio = lab.running()
    left_running(lab, folder)
    lab.commands.clear()
    for one in killed_during(lab, folder, lambda one: recover(one, folder)):
        recover(one, folder)
        assert one.running() == audio
        assert one.wrongs == []


def test_a_command_runs_only_where_what_comes_back_is_certain(lab: SimulatedMachine, folder: Path) -> None:
    audio, began, whole = lab.running(), list[int](), lab.fork()
    run_command(whole, folder)
    for effect in range(lab.effects, whole.effects, APART):
        one, ran = lab.fork(), list[int]()
        one.disk_full_at = effect
        try:
            run_command(one, folder, meanwhile=lambda ran=ran: ran.append(1) or 0)  # type: ignore[misc]
        except SparkModeError as error:
            assert not ran, error.message
        began += ran
        one.disk_full_at = None
        for _ in range(2):
            recover(one, folder)
        assert one.running() == audio, f"full at {effect}: {one.acts}"
        assert one.wrongs == []
    assert began


def test_the_gate_and_the_guard_count_it_as_a_training(lab: SimulatedMachine, folder: Path) -> None:
    left_running(lab, folder)
    lab.outside_start("f5")
    guard = SimulatedGuard(lab, folder)
    assert guard.look() == "settled"
    assert lab.running() == {}


def test_an_owed_return_is_not_lost_when_the_journal_begins_anew(lab: SimulatedMachine, folder: Path) -> None:
    audio = lab.running()
    left_running(lab, folder)
    lines = len(lab.lines)
    for number in range(200):
        if "lab.journal anew" in lab.lines[lines:]:
            break
        with pytest.raises(Refused):
            ask(lab, folder, UpRequest(names=("omni",), ready_seconds=1.0 + number, extra=("xtts",) * (number % 7)))
    assert "lab.journal anew" in lab.lines[lines:]
    lab.commands.clear()
    recover(lab, folder)
    assert lab.running() == audio
