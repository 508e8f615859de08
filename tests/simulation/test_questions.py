"""The one question: asked once, never under the lock, and again when more would be stopped than was agreed to."""

from pathlib import Path

import pytest

from spark_mode.errors import Refused
from spark_mode.lab.size import GB
from spark_mode.planning.observed import Made
from spark_mode.planning.request import Request
from spark_mode.sharing.lock import is_switching
from spark_mode.switching.report import Report, SwitchOptions
from spark_mode.switching.transaction import Transaction
from tests.nobody import Nobody
from tests.simulation.engine import Killed
from tests.simulation.lab import REQUESTS, Agrees, SimulatedSession, Waits, ask, machine
from tests.simulation.machine import SimulatedMachine

OMNI, XTTS, TRAINING, LARGE, STOP = REQUESTS[0], REQUESTS[2], *REQUESTS[5:8]


WAITING = SwitchOptions(wait_seconds=None)


def waits(one: SimulatedMachine, folder: Path) -> Waits:
    """Return somebody who waits while training is started by hand."""

    def start() -> None:
        for service in ("xtts", "whisper", "ollama"):
            one.outside_stop(service)
        one.outside_start("training")

    return Waits(folder, start)


def asked(one: SimulatedMachine, folder: Path, request: Request) -> tuple[Report, int]:
    """Ask for a switch on a terminal; return how it ended, and how many questions there were."""
    session = SimulatedSession(one, folder)
    confirm = Agrees(session)
    return Transaction(session, SwitchOptions(), Nobody(), confirm).switch(request), confirm.asked


def test_a_question_is_asked_once_and_not_under_the_lock(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, TRAINING)
    report, questions = asked(one, tmp_path, OMNI)
    assert (report.mode, questions) == ("audio omni", 1)


@pytest.mark.parametrize("request_", [OMNI, STOP, LARGE], ids=str)
@pytest.mark.parametrize("terminal", [True, False])
def test_where_no_question_is_to_be_asked_a_long_run_is_stopped_only_with_a_yes(
    tmp_path: Path, request_: Request, terminal: bool
) -> None:
    one = machine()
    ask(one, tmp_path, TRAINING)
    session, before = SimulatedSession(one, tmp_path), one.running()
    confirm = Agrees(session)
    with pytest.raises(Refused, match="would stop training, which runs"):
        Transaction(session, SwitchOptions(no_input=True), Nobody(), confirm if terminal else None).switch(request_)
    assert (one.running(), confirm.asked) == (before, 0)
    report = Transaction(session, SwitchOptions(no_input=True, yes=True), Nobody(), None).switch(request_)
    assert report.outcome == "applied"


def test_after_a_recovery_the_question_is_asked_without_the_lock(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    one.kill_at = (one.effects + 8, "after")
    with pytest.raises(Killed):
        ask(one, tmp_path, TRAINING)
    one.kill_at = None
    report, questions = asked(one, tmp_path, OMNI)
    assert (report.mode, questions) == ("audio omni", 1)


def test_a_training_that_starts_while_the_lock_is_awaited_is_asked_about_without_the_lock(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, TRAINING)
    ask(one, tmp_path, XTTS)
    session = SimulatedSession(one, tmp_path)
    confirm = Agrees(session)
    report = Transaction(session, WAITING, waits(one, tmp_path), confirm).switch(OMNI)
    assert (report.mode, confirm.asked) == ("audio omni", 1)


def test_a_training_that_starts_while_the_lock_is_awaited_is_stopped_by_nobody_who_was_not_asked(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, TRAINING)
    ask(one, tmp_path, XTTS)
    with pytest.raises(Refused, match="training started meanwhile and would be stopped"):
        Transaction(SimulatedSession(one, tmp_path), WAITING, waits(one, tmp_path), None).switch(OMNI)


def test_a_request_that_cannot_be_is_refused_before_it_waits(tmp_path: Path) -> None:
    one = machine(total=8 * GB)
    waiting = Waits(tmp_path, one.running)
    with pytest.raises(Refused, match="are more than this machine"):
        Transaction(SimulatedSession(one, tmp_path), WAITING, waiting, None).switch(OMNI)
    assert is_switching(tmp_path)


def test_a_switch_that_need_not_wait_is_planned_once_from_one_whole_look(tmp_path: Path) -> None:
    one, looks = machine(), list[str]()
    networks = one.networks

    def looked(project: str) -> dict[str, Made]:
        looks.append(project)
        return networks(project)

    one.networks = looked  # type: ignore[method-assign]  # somebody who counts
    ask(one, tmp_path, TRAINING)
    assert looks == ["lab"]
