"""What is to come back after a training stays so, whatever is added or stopped beside it, and who really ends that says so."""

from pathlib import Path

import pytest

from spark_mode.errors import Refused, SwitchFailed
from spark_mode.journal.journal import journal_state
from spark_mode.lab.size import GB
from spark_mode.lab.workload import Footprint
from spark_mode.planning.request import ModeRequest, Request, RestoreRequest, StopRequest, UpRequest
from tests.simulation.commands import killed_while_it_runs
from tests.simulation.engine import Killed
from tests.simulation.lab import PROJECT, RULES, SimulatedSession, ask, recover, run_command, service
from tests.simulation.machine import SimulatedMachine
from tests.simulation.test_crashes import killed_during

AUDIO, TRAINING = ModeRequest(mode="audio", profile="f5"), ModeRequest(mode="training")
PAGES = ("page", "search")
SERVICES = {**PROJECT.services, **{name: service(name, name, healthcheck=None) for name in PAGES}}
SMALL = RULES.model_copy(update={"default_footprint": Footprint.model_validate("10MB")})
PAGE, NO_PAGE, SEARCH = UpRequest(names=("page",)), StopRequest(names=("page",)), UpRequest(names=("search",))
NO_WHISPER = StopRequest(names=("whisper",))


@pytest.fixture
def lab() -> SimulatedMachine:
    """A machine on which audio runs, and a page beside it."""
    return SimulatedMachine(PROJECT.model_copy(update={"services": SERVICES}), SMALL, 128 * GB)


@pytest.fixture
def folder(tmp_path: Path, lab: SimulatedMachine) -> Path:
    ask(lab, tmp_path, AUDIO)
    ask(lab, tmp_path, PAGE)
    return tmp_path


def restores(lab: SimulatedMachine) -> bool:
    return journal_state(lab.journal.records()).restores


@pytest.mark.parametrize(
    ("requests", "gone", "more"),
    [
        ((NO_PAGE,), {"page"}, set()),
        ((SEARCH,), set(), {"search"}),
        ((NO_PAGE, PAGE), set(), set()),
        ((SEARCH, StopRequest(names=("search",))), set(), set()),
        ((NO_WHISPER, NO_PAGE), {"whisper", "page"}, set()),
    ],
    ids=["one stopped", "one added", "stopped and added", "added and stopped", "one that waits, and one that runs"],
)
def test_what_is_added_or_stopped_by_name_beside_a_command_counts_and_the_rest_comes_back(
    requests: tuple[Request, ...], gone: set[str], more: set[str], lab: SimulatedMachine, folder: Path
) -> None:
    audio = set(lab.running())

    def meanwhile() -> int:
        for request in requests:
            ask(lab, folder, request)
            assert restores(lab)
        return 0

    ran = run_command(lab, folder, meanwhile=meanwhile)
    assert ran.fault is None
    assert set(lab.running()) == (audio - gone) | more
    assert lab.wrongs == []


def test_what_is_to_come_back_after_a_training_stays_so_beside_an_up_and_not_after_its_stop(
    lab: SimulatedMachine, folder: Path
) -> None:
    ask(lab, folder, TRAINING, then=True)
    ask(lab, folder, SEARCH)
    assert restores(lab)
    stopped = lab.fork()
    ask(stopped, folder, StopRequest(names=("training",)))
    assert not restores(stopped)
    lab.die("training", 0)
    ask(lab, folder, RestoreRequest())
    assert set(lab.running()) == {"f5", "whisper", "ollama", *PAGES}


def test_what_is_to_come_back_stays_so_when_a_switch_beside_it_fails(lab: SimulatedMachine, folder: Path) -> None:
    audio = set(lab.running())

    def meanwhile() -> int:
        whole = lab.fork()
        ask(whole, folder, SEARCH)
        lab.fail_at, lab.fault = whole.acts.index("start search"), "crash"
        with pytest.raises(SwitchFailed):
            ask(lab, folder, SEARCH)
        lab.fail_at = None
        return 0

    run_command(lab, folder, meanwhile=meanwhile)
    assert set(lab.running()) == audio


def test_whenever_a_switch_beside_a_command_is_killed_what_ran_before_comes_back(lab: SimulatedMachine, folder: Path) -> None:
    audio = set(lab.running())

    with pytest.raises(Killed):
        run_command(lab, folder, meanwhile=killed_while_it_runs)
    for one in killed_during(lab, folder, lambda one: ask(one, folder, SEARCH)):
        one.commands.clear()
        recover(one, folder)
        assert set(one.running()) - {"search"} == audio, one.acts


def test_who_ends_what_was_to_come_back_is_told_and_so_is_the_end_of_the_command(lab: SimulatedMachine, folder: Path) -> None:
    told = list[str]()

    def meanwhile() -> int:
        told.extend(ask(lab, folder, StopRequest()).warnings)
        return 3

    ran = run_command(lab, folder, meanwhile=meanwhile)
    assert any("what was to come back by itself does not after this: f5, ollama, page, whisper" in one for one in told), told
    assert isinstance(ran.fault, Refused)
    assert "stop" in ran.fault.message
    assert (ran.code, lab.running()) == (3, {})


def test_a_stop_of_what_waits_to_come_back_says_that_it_does_not(lab: SimulatedMachine, folder: Path) -> None:
    def meanwhile() -> int:
        note = ask(lab, folder, NO_WHISPER).note
        assert note == "whisper: not running; it does not come back by itself"
        return 0

    run_command(lab, folder, meanwhile=meanwhile)


def test_a_plan_says_that_it_ends_what_was_to_come_back(lab: SimulatedMachine, folder: Path) -> None:
    run_command(lab, folder, meanwhile=lambda: _sees(lab, folder))


def _sees(lab: SimulatedMachine, folder: Path) -> int:
    said = {str(one): SimulatedSession(lab, folder).plan(one).warnings for one in (StopRequest(), NO_PAGE, SEARCH)}
    assert [any("does not after this" in line for line in lines) for lines in said.values()] == [True, False, False]
    return 0
