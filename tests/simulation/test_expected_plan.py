"""A plan that was agreed to by its digest is carried out as it was shown, or nothing is done, and what changed is said."""

from pathlib import Path

import pytest

from spark_mode.errors import Refused
from spark_mode.lab.size import GB
from spark_mode.planning.digest import digest_of
from spark_mode.planning.observed import Memory
from spark_mode.planning.request import ModeRequest, Request, StopRequest, UpRequest
from spark_mode.switching.report import Report, SwitchOptions
from spark_mode.switching.transaction import Transaction
from tests.nobody import Nobody
from tests.simulation.engine import Killed
from tests.simulation.lab import SimulatedSession, ask, machine
from tests.simulation.machine import SimulatedMachine

OMNI, XTTS = ModeRequest(mode="audio", profile="omni"), ModeRequest(mode="audio", profile="xtts")
TRAINING, STOP, UP = ModeRequest(mode="training"), StopRequest(), UpRequest(names=("whisper",))


def shown(one: SimulatedMachine, folder: Path, request: Request) -> str:
    """Return the digest of the plan as it is now."""
    return digest_of(SimulatedSession(one, folder).plan(request))


def confirmed(one: SimulatedMachine, folder: Path, request: Request, digest: str) -> Report:
    """Ask for a switch as somebody does who has seen the plan with a digest."""
    options = SwitchOptions(yes=True, expect=digest)
    return Transaction(SimulatedSession(one, folder), options, Nobody(), None).switch(request)


@pytest.mark.parametrize("request_", [TRAINING, XTTS, STOP, UP], ids=str)
def test_a_plan_is_carried_out_as_it_was_shown(tmp_path: Path, request_: Request) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    assert confirmed(one, tmp_path, request_, shown(one, tmp_path, request_)).outcome == "applied"


def test_so_is_what_brings_back_what_ran_before(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    ask(one, tmp_path, TRAINING)
    back = SimulatedSession(one, tmp_path).restore_request()
    assert confirmed(one, tmp_path, back, shown(one, tmp_path, back)).mode == "audio omni"


@pytest.mark.parametrize(
    ("request_", "started", "changed"),
    [
        (TRAINING, "whisper", "it stops omni, whisper"),
        (STOP, "whisper", "it stops omni, whisper"),
        (OMNI, "whisper", "it stops whisper"),
        (OMNI, "ollama", "what goes on beside it is ollama"),
    ],
    ids=str,
)
def test_what_was_started_since_refuses_it_and_nothing_is_touched(
    tmp_path: Path, request_: Request, started: str, changed: str
) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    digest = shown(one, tmp_path, request_)
    one.put(started, "running")
    before, acts = one.running(), len(one.acts)
    with pytest.raises(Refused, match=changed) as refused:
        confirmed(one, tmp_path, request_, digest)
    assert (one.running(), one.acts[acts:]) == (before, [])
    assert "nothing was touched" in refused.value.message
    assert refused.value.hint == f"see the new one: spark-mode plan {request_}"


def test_a_container_that_is_another_one_by_now_refuses_it_too(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    digest = shown(one, tmp_path, TRAINING)
    ask(one, tmp_path, STOP)
    one.remove(next(container.id for container in one.containers("lab") if container.service == "omni"))
    ask(one, tmp_path, OMNI)
    with pytest.raises(Refused, match="it stops omni"):
        confirmed(one, tmp_path, TRAINING, digest)


def test_two_sides_that_came_together_since_are_left_as_they_are_by_a_plan_that_did_not_know_of_them(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, TRAINING)
    digest = shown(one, tmp_path, OMNI)
    one.put("xtts", "running")
    before = one.running()
    with pytest.raises(Refused, match="nothing was touched"):
        confirmed(one, tmp_path, OMNI, digest)
    assert one.running() == before


def test_a_plan_that_knew_of_two_sides_is_carried_out(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, TRAINING)
    one.put("xtts", "running")
    assert confirmed(one, tmp_path, OMNI, shown(one, tmp_path, OMNI)).mode == "audio omni"


def test_a_switch_that_was_cut_off_since_is_not_recovered_by_a_plan_that_did_not_show_it(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    digest = shown(one, tmp_path, XTTS)
    one.kill_at = (one.effects + 4, "after")
    with pytest.raises(Killed):
        ask(one, tmp_path, TRAINING)
    one.kill_at = None
    before = one.running()
    with pytest.raises(Refused, match=r"cut off during: .*; that is recovered first, and nothing was touched") as refused:
        confirmed(one, tmp_path, XTTS, digest)
    assert (one.running(), refused.value.hint) == (before, "recover it: spark-mode recover")


def test_the_plan_stays_the_same_while_the_free_memory_moves(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    digest = shown(one, tmp_path, TRAINING)
    seen = SimulatedSession(one, tmp_path)
    freed = seen.observe().model_copy(update={"memory": Memory(total=128 * GB, available=101 * GB)})
    assert digest_of(seen.judged(TRAINING, freed)) == digest
    assert shown(one, tmp_path, TRAINING) == digest


def test_plans_of_other_requests_have_other_digests(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    large, one_stop = ModeRequest(mode="training", variant="large"), StopRequest(names=("omni",))
    requests: list[Request] = [TRAINING, large, XTTS, STOP, one_stop, UP]
    assert len({shown(one, tmp_path, request) for request in requests}) == len(requests)
