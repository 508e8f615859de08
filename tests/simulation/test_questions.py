"""The one question: asked once, never under the lock, and again when more would be stopped than was agreed to."""

from pathlib import Path

import pytest

from spark_mode.errors import Refused
from spark_mode.planning.request import Request
from spark_mode.switching.report import Report, SwitchOptions
from spark_mode.switching.transaction import Transaction
from tests.nobody import Nobody
from tests.simulation.engine import Killed
from tests.simulation.lab import REQUESTS, Agrees, SimulatedSession, ask, machine
from tests.simulation.machine import SimulatedMachine

OMNI, XTTS, TRAINING = REQUESTS[0], REQUESTS[2], REQUESTS[5]


class Late(SimulatedSession):
    """A lab in which somebody starts training by hand while the lock is awaited."""

    def read_again(self, after: float = 0.0) -> bool:
        for service in ("xtts", "whisper", "ollama"):
            self.simulated.outside_stop(service)
        self.simulated.outside_start("training")
        return super().read_again(after)


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
    session = Late(one, tmp_path)
    confirm = Agrees(session)
    report = Transaction(session, SwitchOptions(), Nobody(), confirm).switch(OMNI)
    assert (report.mode, confirm.asked) == ("audio omni", 1)


def test_a_training_that_starts_meanwhile_is_stopped_by_nobody_who_was_not_asked(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, TRAINING)
    ask(one, tmp_path, XTTS)
    session = Late(one, tmp_path)
    with pytest.raises(Refused, match="training started meanwhile and would be stopped"):
        Transaction(session, SwitchOptions(), Nobody(), None).switch(OMNI)
