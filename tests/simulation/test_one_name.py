"""Two services of one name: the container of the one is removed before that of the other is created, whatever happens meanwhile.

One speech model alone, one with helpers, and training are all named alike here. Each switch between two of them is cut off
before and after every effect, and so is each recovery; the simulated engine creates no second container of a name.
"""

from functools import cache
from itertools import islice, permutations
from pathlib import Path

import pytest

from spark_mode.errors import ConfigurationError, SwitchFailed
from spark_mode.lab.by_nature import with_nature
from spark_mode.lab.size import GB
from spark_mode.planning.request import Request, RestoreRequest, StopRequest
from tests.audio_lab import request
from tests.deep import DEEP
from tests.in_memory import folder_in_memory
from tests.simulation.lab import PROJECT, RULES, ask, recover
from tests.simulation.machine import SimulatedMachine
from tests.simulation.test_crashes import APART, attempt, killed, recovered, require_settled

NAMED = ("omni", "xtts", "training")
LAB = PROJECT.model_copy(
    update={
        "services": PROJECT.services
        | {name: PROJECT.services[name].model_copy(update={"container_name": "the-model"}) for name in NAMED}
    }
)
NO_FILE = "its env_file is not there"
OMNI, XTTS, TRAINING = request("audio omni"), request("audio xtts"), request("training")
TWO = [(OMNI, TRAINING), (TRAINING, XTTS)]
ROUND = [*TWO, (XTTS, OMNI)]
PAIRS = [*(permutations((OMNI, XTTS, TRAINING), 2) if DEEP else ROUND), (OMNI, StopRequest()), (StopRequest(), XTTS)]


def in_mode(former: Request) -> SimulatedMachine:
    """Return a machine on which each of the three ran once, and the last is the one that is asked for."""
    return _in_mode(former).fork()


@cache
def _in_mode(former: Request) -> SimulatedMachine:
    one = SimulatedMachine(LAB, with_nature(RULES, LAB), 128 * GB)
    with folder_in_memory() as folder:
        for mode in (OMNI, TRAINING, XTTS, former):
            ask(one, folder, mode)
    return one


def ends(start: SimulatedMachine, wanted: Request, folder: Path) -> list[dict[str, str | None]]:
    """Return what may run in the end: what ran before, and what was asked for."""
    one = start.fork()
    before = one.running()
    ask(one, folder, wanted)
    return [before, one.running()]


def of_the_name(one: SimulatedMachine) -> list[str | None]:
    return [each.service for each in one.containers("lab") if each.name == "the-model"]


def test_a_switch_between_two_of_one_name_removes_the_one_and_the_way_back_the_other(tmp_path: Path) -> None:
    one = in_mode(OMNI)
    acts, (omni,) = len(one.acts), one.containers("lab")[-1:]
    ask(one, tmp_path, TRAINING)
    assert of_the_name(one) == ["training"]
    assert [act for act in one.acts[acts:] if act.startswith(("stop", "compose stop", "remove", "create", "start", "up"))] == [
        "compose stop omni",
        f"remove {omni.id}",
        "create training",
        "start training",
    ]
    ask(one, tmp_path, RestoreRequest(names=("omni",)))
    assert of_the_name(one) == ["omni"]


def without(one: SimulatedMachine, profile: str) -> None:
    """Have Compose resolve a profile no more."""
    one.project = one.project.model_copy(update={"unusable": {profile: NO_FILE}})


def test_what_could_not_be_made_again_is_not_removed_for_its_name(tmp_path: Path) -> None:
    one = in_mode(OMNI)
    without(one, "omni")
    acts, before = len(one.acts), one.running()
    with pytest.raises(ConfigurationError, match=f"omni could not be made again: {NO_FILE}") as refused:
        ask(one, tmp_path, TRAINING)
    assert refused.value.hint == "correct that; or, if it may go: spark-mode stop omni, and then docker rm the-model"
    assert (one.acts[acts:], one.running(), of_the_name(one)) == ([], before, ["omni"])


def test_the_way_back_starts_nothing_that_is_gone_and_leaves_it_to_restore(tmp_path: Path) -> None:
    """Its profile cannot be used any more once it has been removed: between a switch that was killed and its recovery."""
    start = in_mode(OMNI)
    gone = [one for one in killed(start, tmp_path, TRAINING) if not of_the_name(one)]
    assert gone
    for one in gone:
        one.project = LAB.model_copy(update={"unusable": dict.fromkeys(("omni", "training"), NO_FILE)})
        report = recover(one, tmp_path)
        assert f"omni does not come back: its container was removed, and {NO_FILE}" in (report.note or "")
        assert one.running() == {}
        one.project = LAB
        assert ask(one, tmp_path, RestoreRequest()).mode == "audio omni"


def test_a_name_that_compose_gives_by_default_is_given_back_as_well(tmp_path: Path) -> None:
    services = PROJECT.services | {"omni": PROJECT.services["omni"].model_copy(update={"container_name": "lab-training-1"})}
    lab = PROJECT.model_copy(update={"services": services})
    one = SimulatedMachine(lab, with_nature(RULES, lab), 128 * GB)
    for mode, service in ((OMNI, "omni"), (TRAINING, "training"), (RestoreRequest(), "omni")):
        ask(one, tmp_path, mode)
        assert [each.service for each in one.containers("lab") if each.name == "lab-training-1"] == [service]
        assert (one.running(), one.wrongs) == ({service: None}, [])


def test_a_failed_start_brings_back_the_one_that_had_the_name(tmp_path: Path) -> None:
    one = in_mode(OMNI)
    before = one.running()
    trial = one.fork()
    ask(trial, tmp_path, TRAINING)
    one.fault, one.fail_at = "crash", max(at for at, act in enumerate(trial.acts) if act.startswith("start training"))
    with pytest.raises(SwitchFailed, match="What ran before runs again: omni"):
        ask(one, tmp_path, TRAINING)
    assert (one.running(), of_the_name(one), one.wrongs) == (before, ["omni"], [])


def test_a_failed_creation_brings_back_the_one_that_had_the_name(tmp_path: Path) -> None:
    one = in_mode(OMNI)
    before = one.running()
    trial = one.fork()
    ask(trial, tmp_path, TRAINING)
    one.fault, one.fail_at = "compose", max(at for at, act in enumerate(trial.acts) if act.startswith("create training"))
    with pytest.raises(SwitchFailed, match="What ran before runs again: omni"):
        ask(one, tmp_path, TRAINING)
    assert (one.running(), of_the_name(one), one.wrongs) == (before, ["omni"], [])


@pytest.mark.parametrize(("former", "wanted"), PAIRS, ids=str)
def test_one_recovery_settles_two_of_one_name_whenever_the_switch_was_killed(
    former: Request, wanted: Request, tmp_path: Path
) -> None:
    start = in_mode(former)
    legal = ends(start, wanted, tmp_path)
    runs = 0
    for one in killed(start, tmp_path, wanted):
        runs += 1
        recovered(one, tmp_path)
        require_settled(one, tmp_path, legal)
    assert runs > 1


@pytest.mark.parametrize(("former", "wanted"), TWO if DEEP else TWO[:1], ids=str)
def test_a_recovery_of_two_of_one_name_that_is_killed_is_finished_by_the_next(
    former: Request, wanted: Request, tmp_path: Path
) -> None:
    start = in_mode(former)
    legal = ends(start, wanted, tmp_path)
    runs = 0
    for cut_off in islice(killed(start, tmp_path, wanted), 0, None, APART):
        for one in killed(cut_off, tmp_path, None):
            runs += 1
            recovered(one, tmp_path)
            require_settled(one, tmp_path, legal)
    assert runs > 1


@pytest.mark.parametrize(("former", "wanted"), TWO, ids=str)
def test_the_way_back_of_two_of_one_name_is_taken_whenever_it_is_cut_off(
    former: Request, wanted: Request, tmp_path: Path
) -> None:
    """What was asked for crashes at its start, and whatever was to bring back the other one is killed."""
    start = in_mode(former)
    legal = ends(start, wanted, tmp_path)
    trial = start.fork()
    ask(trial, tmp_path, wanted)
    name = "training" if wanted == TRAINING else "xtts"
    start.fault, start.fail_at = "crash", max(at for at, act in enumerate(trial.acts) if act == f"start {name}")
    for one in killed(start, tmp_path, wanted):
        recovered(one, tmp_path)
        require_settled(one, tmp_path, legal)


@pytest.mark.parametrize(("former", "wanted"), TWO, ids=str)
def test_two_of_one_name_are_settled_whenever_the_disk_filled_up(former: Request, wanted: Request, tmp_path: Path) -> None:
    start = in_mode(former)
    legal = ends(start, wanted, tmp_path)
    whole = start.fork()
    attempt(whole, tmp_path, wanted)
    for effect in range(start.effects, whole.effects, 1 if DEEP else 2):
        one = start.fork()
        one.disk_full_at = effect
        assert not attempt(one, tmp_path, wanted)
        recovered(one, tmp_path)
        require_settled(one, tmp_path, legal)
