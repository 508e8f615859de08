"""The guard beside a holder of the lock that is held up, and what it says of a training's end; on the simulated machine."""

import fcntl
import os
from pathlib import Path

import pytest

from spark_mode.enforcement.guard_actions import GuardActions
from spark_mode.errors import LockBusy
from spark_mode.lab.rules import GuardPolicy
from spark_mode.planning.request import ModeRequest
from spark_mode.sharing.children import CHILDREN_SECONDS, children_lock
from spark_mode.sharing.lock import SILENT_SECONDS, switch_lock
from tests.nobody import Nobody
from tests.simulation.lab import SimulatedSession, ask, machine
from tests.simulation.machine import SimulatedMachine

OMNI, TRAINING = ModeRequest(mode="audio", profile="omni"), ModeRequest(mode="training")


def test_the_guard_leaves_two_sides_to_a_switch_that_makes_progress(both: SimulatedMachine, tmp_path: Path) -> None:
    session = SimulatedSession(both, tmp_path)
    with switch_lock(tmp_path, "up whisper", 0.0, Nobody().waiting, both), pytest.raises(LockBusy):
        GuardActions(session, lambda _: None, both.beside).settle()
    assert set(both.running()) == {"training", "omni"}


@pytest.mark.parametrize("why", ["it only waits", "it is silent"])
def test_the_guard_ends_two_sides_beside_a_switch_that_is_held_up(both: SimulatedMachine, tmp_path: Path, why: str) -> None:
    session, said = SimulatedSession(both, tmp_path), list[str]()
    with switch_lock(tmp_path, "up whisper", 0.0, Nobody().waiting, both) as lock:
        if why == "it only waits":
            lock.doing("stop xtts", waits=True)
        else:
            both.sleep(SILENT_SECONDS + 1)
        GuardActions(session, said.append, both.beside).settle()
    assert set(both.running()) == {"training"}
    assert any("beside what is held up: another switch is running: up whisper" in one for one in said)


def test_the_guard_waits_for_no_command_that_a_killed_switch_left_behind(both: SimulatedMachine, tmp_path: Path) -> None:
    begun, orphan = both.now(), os.open(children_lock(tmp_path), os.O_RDWR | os.O_CREAT)
    fcntl.flock(orphan, fcntl.LOCK_SH)
    said: list[str] = []
    acts = GuardActions(SimulatedSession(both, tmp_path), said.append, both.beside)
    acts.settle()
    acts.follow()
    assert set(both.running()) == {"training"}
    assert both.now() - begun < CHILDREN_SECONDS
    both.outside_start("omni")
    acts.settle()
    os.close(orphan)
    assert set(both.running()) == {"training"}
    told = f"a command that a killed switch left behind still runs: process {os.getpid()}; it may start something again"
    assert said.count(told) == 1


def test_how_often_the_guard_stops_the_same_again_is_a_rule(both: SimulatedMachine, tmp_path: Path) -> None:
    both.rules = both.rules.model_copy(update={"guard": GuardPolicy(patience=2)})
    acts = GuardActions(SimulatedSession(both, tmp_path), lambda _: None, both.beside)
    left = list[bool]()
    for _ in range(3):
        acts.settle()
        acts.follow()
        left.append("omni" in both.running())
        both.outside_start("omni")
    assert left == [False, False, True]


def test_memory_relief_works_while_a_switch_only_waits(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    session = SimulatedSession(one, tmp_path)
    one.taken = one.memory().available or 0
    with switch_lock(tmp_path, "up whisper", 0.0, Nobody().waiting, one) as lock:
        lock.doing("await-release", waits=True)
        GuardActions(session, lambda _: None, one.beside).relieve(1)
    assert one.running() == {}


def test_a_training_that_fails_at_its_end_is_said_by_the_guard_too(tmp_path: Path) -> None:
    one = machine()
    one.rules = one.rules.model_copy(update={"guard": GuardPolicy(spares=())})
    ask(one, tmp_path, TRAINING)
    ask(one, tmp_path, OMNI)
    one.sleep(100)
    one.outside_start("training")
    stop = one.stop

    def failing(id: str, seconds: int) -> None:
        stop(id, seconds)
        one.change(id, exit_code=1)

    one.stop = failing  # type: ignore[method-assign]  # a checkpoint that cannot be written
    said: list[str] = []
    acts = GuardActions(SimulatedSession(one, tmp_path), said.append, one.beside)
    acts.settle()
    acts.follow()
    assert set(one.running()) == {"omni"}
    assert any("ended with 1 when it was stopped: ITS CHECKPOINT MAY BE LOST" in line for line in said)
