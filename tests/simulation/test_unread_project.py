"""One of several Compose projects cannot be read any more: what runs of it stays, and what cannot come back is said."""

from pathlib import Path

import pytest

from spark_mode.cli.show_status import status_text
from spark_mode.lab.joined import joined
from spark_mode.lab.project import Project
from spark_mode.lab.rules import Mode
from spark_mode.lab.size import GB
from spark_mode.lab.workload import Footprint
from spark_mode.planning.request import ModeRequest, Request, RestoreRequest, StopRequest, UpRequest
from spark_mode.reporting.status import status
from tests.simulation.lab import PROJECT, RULES, TRAIN, SimulatedSession, ask, run_command, service
from tests.simulation.machine import SimulatedMachine

SERVICES = {**PROJECT.services, "page": service("page", "page", healthcheck=None)}
REST = Project(name="lab", services={name: one for name, one in SERVICES.items() if name != "omni"})
WHOLE = joined((REST, Project(name="speech", services={"omni": SERVICES["omni"]})))
BROKEN = joined((REST, Project(name="speech", unusable={"": "compose.yaml is broken"})))
OMNI, PAGE, TRAINING = UpRequest(names=("omni", "whisper")), UpRequest(names=("page",)), ModeRequest(mode="training")
PAGE_BESIDE = UpRequest(names=("whisper",))
NEVER_AGAIN = "omni cannot be started again once it is stopped: Compose cannot read the project speech: compose.yaml is broken"


@pytest.fixture
def lab(tmp_path: Path) -> SimulatedMachine:
    """A machine on which speech runs whose project is broken since."""
    rules = RULES.model_copy(update={"default_footprint": Footprint.model_validate("10MB")})
    one = SimulatedMachine(WHOLE, rules, 128 * GB)
    ask(one, tmp_path, OMNI)
    one.project = BROKEN
    return one


def test_what_ran_before_and_runs_now_stays_when_its_project_cannot_be_read(lab: SimulatedMachine, tmp_path: Path) -> None:
    ask(lab, tmp_path, PAGE)
    report = ask(lab, tmp_path, RestoreRequest())
    assert set(lab.running()) == {"omni", "whisper"}
    assert not any("is stopped" in one for one in report.warnings)


@pytest.mark.parametrize("request_", [TRAIN, TRAINING, StopRequest(), StopRequest(names=("omni",))], ids=str)
def test_before_a_stop_it_is_said_what_cannot_be_started_again(request_: Request, lab: SimulatedMachine, tmp_path: Path) -> None:
    assert NEVER_AGAIN in SimulatedSession(lab, tmp_path).plan(request_).warnings
    lab.project = WHOLE
    assert NEVER_AGAIN not in SimulatedSession(lab, tmp_path).plan(request_).warnings


def test_the_status_says_why_a_project_cannot_be_read_once_for_all_modes(lab: SimulatedMachine, tmp_path: Path) -> None:
    one = Mode(class_="audio", services=("omni",))
    lab.rules = lab.rules.model_copy(update={"modes": {**lab.rules.modes, "talk": one, "speak": one}})
    text = status_text(status(SimulatedSession(lab, tmp_path)))
    assert text.count("compose.yaml is broken") == 1
    assert text.count("and Compose cannot read the project speech") == 2


def test_what_could_not_come_back_after_a_command_comes_with_a_restore_once_its_project_is_right(
    lab: SimulatedMachine, tmp_path: Path
) -> None:
    run_command(lab, tmp_path)
    assert set(lab.running()) == {"whisper"}
    lab.project = WHOLE
    ask(lab, tmp_path, RestoreRequest())
    assert set(lab.running()) == {"omni", "whisper"}


@pytest.fixture
def page_lab(tmp_path: Path) -> SimulatedMachine:
    """A machine on which a page runs that nobody describes, and whose project is broken since."""
    small = RULES.model_copy(update={"default_footprint": None, "without_gpu": frozenset({"page"})})
    page = Project(name="pages", services={"page": SERVICES["page"]})
    there = PROJECT.model_copy(update={"services": {name: one for name, one in SERVICES.items() if name != "page"}})
    one = SimulatedMachine(joined((there, page)), small, 128 * GB)
    ask(one, tmp_path, PAGE)
    one.rules = small.model_copy(update={"without_gpu": frozenset()})
    one.project = joined((there, Project(name="pages", unusable={"": "compose.yaml is broken"})))
    return one


def test_what_nobody_describes_and_has_no_gpu_keeps_counting_and_holds_nothing_up(
    page_lab: SimulatedMachine, tmp_path: Path
) -> None:
    assert SimulatedSession(page_lab, tmp_path).plan(PAGE_BESIDE).refusal is None
    ask(page_lab, tmp_path, PAGE_BESIDE)
    session = SimulatedSession(page_lab, tmp_path)
    assert "page" in page_lab.running()
    assert [one.footprint.planned for one in session.observe().copies(session.rules) if one.name == "page"] == [1 * GB]


def test_what_nobody_describes_and_has_a_gpu_is_to_be_described_as_ever(page_lab: SimulatedMachine, tmp_path: Path) -> None:
    page_lab.change("page-1", has_gpu=True)
    refusal = SimulatedSession(page_lab, tmp_path).plan(PAGE_BESIDE).refusal
    assert refusal
    assert 'its service "page" is not in rules.yaml' in refusal.message
