"""A command has ended, nobody brought back what ran before, and another switch comes: nothing starts to be stopped at once."""

from pathlib import Path

import pytest

from spark_mode.errors import Refused
from spark_mode.lab.project import Project
from spark_mode.lab.size import GB
from spark_mode.lab.workload import Footprint
from spark_mode.planning.request import ModeRequest, Request, RestoreRequest, RunRequest, UpRequest
from spark_mode.switching.report import SwitchOptions
from spark_mode.switching.transaction import Transaction
from tests.nobody import Nobody
from tests.simulation.commands import killed_while_it_runs
from tests.simulation.engine import Killed
from tests.simulation.lab import PROJECT, RULES, SimulatedSession, ask, recover, run_command, service
from tests.simulation.machine import SimulatedMachine
from tests.simulation.test_crashes import killed_during

PAGE = service("page", "page", healthcheck=None)
OMNI, XTTS = (ModeRequest(mode="audio", profile=name) for name in ("omni", "xtts"))
TRAINING = ModeRequest(mode="training")
TRAIN = RunRequest(name="training", title="train.py")
BEFORE = {"omni", "page"}


@pytest.fixture
def lab(tmp_path: Path) -> SimulatedMachine:
    """A machine whose audio, with a page, is to come back after a command that has ended."""
    rules = RULES.model_copy(update={"default_footprint": Footprint.model_validate("10MB")})
    one = SimulatedMachine(Project(name="lab", services={**PROJECT.services, "page": PAGE}), rules, 128 * GB)
    ask(one, tmp_path, OMNI)
    ask(one, tmp_path, UpRequest(names=("page",)))
    with pytest.raises(Killed):
        run_command(one, tmp_path, TRAIN, meanwhile=killed_while_it_runs)
    one.outside_stop("page")
    one.commands.clear()
    return one


@pytest.mark.parametrize("request_", [XTTS, TRAINING, UpRequest(names=("training",))], ids=str)
def test_what_a_switch_would_stop_at_once_is_not_started_first_and_a_restore_brings_it_back(
    request_: Request, lab: SimulatedMachine, tmp_path: Path
) -> None:
    assert any("first brings back what ran before" in one for one in SimulatedSession(lab, tmp_path).plan(request_).warnings)
    since = len(lab.acts)
    ask(lab, tmp_path, request_)
    assert "page" in lab.running(), "nothing is in its way"
    assert not any("omni" in act for act in lab.acts[since:])
    assert recover(lab, tmp_path).outcome == "unchanged"
    ask(lab, tmp_path, RestoreRequest())
    assert set(lab.running()) == BEFORE


def test_what_a_switch_leaves_room_for_comes_back_first(lab: SimulatedMachine, tmp_path: Path) -> None:
    ask(lab, tmp_path, UpRequest(names=("whisper",)))
    assert set(lab.running()) == {*BEFORE, "whisper"}


def test_whenever_a_switch_that_replaces_it_is_killed_a_restore_brings_it_back(lab: SimulatedMachine, tmp_path: Path) -> None:
    for one in killed_during(lab, tmp_path, lambda one: ask(one, tmp_path, XTTS)):
        recover(one, tmp_path)
        if set(one.running()) != BEFORE:
            ask(one, tmp_path, RestoreRequest())
        assert "omni" in one.running(), one.acts


OVER = r"^training runs by now, and what ran before does not come back over it$"
"""How a return by itself is refused that would stop a training which nobody was asked about."""


def trained_before(folder: Path) -> SimulatedMachine:
    """Return a machine with a container of a training that was stopped, and audio that came after it."""
    one = SimulatedMachine(PROJECT, RULES, 128 * GB)
    ask(one, folder, TRAINING)
    ask(one, folder, OMNI)
    return one


def test_a_training_that_was_begun_beside_a_command_is_not_stopped_unasked_for_what_ran_before(tmp_path: Path) -> None:
    one = trained_before(tmp_path)

    def begun_beside() -> int:
        one.outside_start("training")
        return 0

    ran = run_command(one, tmp_path, meanwhile=begun_beside, yes=False)
    assert isinstance(ran.fault, Refused)
    with pytest.raises(Refused, match=OVER) as refused:
        recover(one, tmp_path)
    assert (ran.fault.message, ran.fault.hint) == (refused.value.message, refused.value.hint)
    assert set(one.running()) == {"training"}
    one.die("training", 0)
    recover(one, tmp_path)
    assert set(one.running()) == {"omni"}


def test_nor_is_one_that_was_begun_right_after_a_training_which_was_to_be_followed_by_it(tmp_path: Path) -> None:
    one = trained_before(tmp_path)
    ask(one, tmp_path, TRAINING, then=True)
    one.die("training", 0)
    one.outside_start("training")
    session = SimulatedSession(one, tmp_path)
    options = SwitchOptions(only_after=session.journal_state.then)
    with pytest.raises(Refused, match=OVER):
        Transaction(session, options, Nobody(), None).switch(RestoreRequest())
    assert set(one.running()) == {"training"}
