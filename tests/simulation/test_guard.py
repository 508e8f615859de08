"""The guard on a simulated machine and its own clock: who goes when memory runs out, and what does not end it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from spark_mode.enforcement.guard import SAMPLE_SECONDS, Guard
from spark_mode.engine.doors import Identity
from spark_mode.lab.rules import GuardPolicy
from spark_mode.lab.size import GB
from spark_mode.planning.observed import Memory
from spark_mode.planning.request import ModeRequest, Request, UpRequest
from spark_mode.reporting.history import Event, history
from tests.simulation.broken import BROKEN, Broken, broken
from tests.simulation.lab import PROJECT, RULES, SimulatedSession, ask, machine
from tests.simulation.machine import SimulatedMachine

FLOOR, HEADROOM = RULES.limits.floor, RULES.limits.headroom
GIB = 2**30
XTTS = ModeRequest(mode="audio", profile="xtts")


def running(folder: Path, request: Request = XTTS) -> SimulatedMachine:
    """Return a machine on which a switch was made: xtts, whisper and ollama run on it, unless something else is asked for."""
    made = machine()
    ask(made, folder, request)
    made.least_sleep = 0.0  # the guard's samples are as far apart as they are
    return made


def leave(on: SimulatedMachine, available: float) -> None:
    """Have others take all but so many bytes."""
    on.taken = 0
    on.taken = (on.memory().available or 0) - round(available)


class Guarding:
    """A guard on a machine. `said` are its lines."""

    def __init__(self, on: SimulatedMachine, folder: Path) -> None:
        self.said: list[str] = []
        self.machine, self.session = on, SimulatedSession(on, folder)
        self.guard = Guard(self.session, self.said.append, on.beside)

    def watch(self, seconds: float, then: Callable[[], None] = lambda: None, every: float = SAMPLE_SECONDS) -> "Guarding":
        """Let so much time pass; `then` is what others do after each turn, and `every` how far these are apart."""
        until = self.machine.time + seconds
        while self.machine.time < until:
            self.guard.turn()
            self.machine.sleep(every)
            then()
        return self

    def leak(self, rate: float) -> Callable[[], None]:
        """Return what takes so many bytes a second."""

        def take() -> None:
            self.machine.taken += round(rate * SAMPLE_SECONDS)

        return take

    @property
    def acts(self) -> list[Event]:
        self.session.reload_journal()
        return [one for one in history(self.session) if one.by == "guard"]

    @property
    def stopped(self) -> list[str]:
        return [one.request for one in self.acts if one.outcome == "enforced"]


@pytest.mark.parametrize("late", [0.0, 10.0, 100.0])
def test_memory_that_comes_back_late_costs_one_victim(late: float, tmp_path: Path) -> None:
    on = running(tmp_path)
    leave(on, FLOOR - GB / 2)
    on.lateness = late
    assert Guarding(on, tmp_path).watch(300).stopped == ["stop whisper"]
    assert set(on.running()) == {"xtts", "ollama"}


def test_what_does_not_come_back_in_time_is_no_longer_waited_for(tmp_path: Path) -> None:
    on = running(tmp_path)
    leave(on, FLOOR - GB / 2)
    on.lateness = RULES.limits.release_seconds + 60
    guarding = Guarding(on, tmp_path)
    assert guarding.watch(RULES.limits.release_seconds - 2).stopped == ["stop whisper"]
    assert guarding.watch(5).stopped == ["stop whisper", "stop xtts"]


def test_a_leak_that_goes_on_takes_the_next_one_though_memory_is_still_to_come(tmp_path: Path) -> None:
    on = running(tmp_path)
    leave(on, FLOOR + GB)
    on.lateness = 100
    guarding = Guarding(on, tmp_path)
    guarding.watch(30, guarding.leak(GB / 5))
    assert guarding.stopped[:2] == ["stop whisper", "stop xtts"]


def test_what_is_to_come_is_not_waited_for_below_half_the_floor(tmp_path: Path) -> None:
    on = running(tmp_path, ModeRequest(mode="audio", profile="omni"))
    ask(on, tmp_path, UpRequest(names=("whisper",)))
    leave(on, FLOOR - 4 * GB)
    on.lateness = 100
    guarding = Guarding(on, tmp_path)
    assert guarding.watch(5).stopped == ["stop omni"]
    leave(on, FLOOR / 2 - GB)
    assert guarding.watch(5).stopped == ["stop omni", "stop whisper"]


@pytest.mark.parametrize("after", [0.0, 0.1, 0.2])
def test_a_collapse_within_seconds_is_answered_before_the_floor(after: float, tmp_path: Path) -> None:
    on = running(tmp_path, ModeRequest(mode="audio", profile="omni"))
    ask(on, tmp_path, UpRequest(names=("whisper",)))
    leave(on, 28.9 * GIB)
    guarding = Guarding(on, tmp_path).watch(10)
    on.sleep(after)
    guarding.watch(11, guarding.leak((28.9 - 6.3) * GIB / 11))
    assert guarding.acts[0].note
    left = float(guarding.acts[0].note.split()[1])
    assert left * GB > FLOOR
    assert (on.memory().available or 0) > FLOOR


def test_one_sample_is_no_trend(tmp_path: Path) -> None:
    on = running(tmp_path)
    guarding = Guarding(on, tmp_path)
    for low in (FLOOR / 2, HEADROOM - GB):
        leave(on, HEADROOM + 10 * GB)
        guarding.watch(10)
        leave(on, low)
        guarding.watch(SAMPLE_SECONDS)
    leave(on, HEADROOM - GB)
    assert guarding.watch(60).stopped == []


def test_a_model_that_is_loaded_within_the_headroom_costs_nobody(tmp_path: Path) -> None:
    on = running(tmp_path)
    leave(on, HEADROOM + 10 * GB)
    guarding = Guarding(on, tmp_path).watch(10)
    leave(on, FLOOR + 2 * GB)
    assert guarding.watch(60).stopped == []


def test_while_one_takes_its_grace_the_memory_is_watched_on_and_a_second_one_can_go(tmp_path: Path) -> None:
    on = running(tmp_path)
    leave(on, FLOOR - GB / 2)
    on.graces["whisper"] = 300
    guarding = Guarding(on, tmp_path)
    guarding.watch(60)
    assert set(on.running()) == {"xtts", "whisper", "ollama"}, "one was enough, and takes its time"
    guarding.watch(30, guarding.leak(GB / 5))
    assert set(on.running()) == {"whisper"}, "ollama serves a model that counts"
    guarding.watch(300)
    assert guarding.stopped[-1] == "stop whisper"
    assert on.running() == {}


def test_a_violation_is_ended_while_a_victim_takes_its_grace(tmp_path: Path) -> None:
    on = running(tmp_path)
    on.put("training", "exited")
    leave(on, FLOOR - GB / 2)
    on.graces["whisper"] = 300
    guarding = Guarding(on, tmp_path).watch(10)
    leave(on, HEADROOM + 20 * GB)
    on.outside_start("training")
    guarding.watch(40)
    assert set(on.running()) == {"training", "whisper"}
    assert {"stop xtts", "stop ollama"} == set(guarding.stopped)


def test_what_goes_for_a_rule_frees_memory_too_so_nothing_else_goes_for_that(tmp_path: Path) -> None:
    on = running(tmp_path, ModeRequest(mode="training"))
    on.put("omni", "exited")
    on.outside_start("omni")
    leave(on, FLOOR - GB / 2)
    on.lateness = 10
    guarding = Guarding(on, tmp_path).watch(60)
    assert guarding.stopped == ["stop omni"]
    assert set(on.running()) == {"training"}


def test_what_goes_says_what_it_frees_and_its_priority_and_not_that_it_is_the_lowest(tmp_path: Path) -> None:
    on = running(tmp_path, ModeRequest(mode="training"))
    leave(on, FLOOR - GB / 2)
    (act,) = Guarding(on, tmp_path).watch(60).acts
    assert act.note == (
        "only 9.5 GB of memory were left and it went on towards the floor of 10.0 GB; it frees 12.0 GB, at priority 100"
    )


def test_memory_is_given_way_to_though_the_rules_say_to_warn_only(tmp_path: Path) -> None:
    on = running(tmp_path)
    on.rules = RULES.model_copy(update={"guard": GuardPolicy(on_violation="warn")})
    leave(on, FLOOR - GB / 2)
    assert Guarding(on, tmp_path).watch(60).stopped == ["stop whisper"]


def test_pressure_that_nothing_of_the_lab_makes_is_written_down_once_in_ten_minutes(tmp_path: Path) -> None:
    on = machine()
    leave(on, FLOOR / 2)
    guarding = Guarding(on, tmp_path).watch(590, every=2.0)
    assert [(one.request, one.outcome) for one in guarding.acts] == [("memory", "warned")]
    assert len(guarding.watch(60, every=2.0).acts) == 2


class Raising(SimulatedMachine):
    """A machine of which one door raises what nobody thought of, so often."""

    times = 0

    def memory(self) -> Memory:
        if self.times:
            self.times -= 1
            raise IndexError("list index out of range")
        return super().memory()


def test_what_nobody_expected_is_said_and_written_down_and_the_guard_goes_on(tmp_path: Path) -> None:
    on = Raising(PROJECT, RULES, 128 * GB)
    ask(on, tmp_path, ModeRequest(mode="training"))
    on.put("omni", "exited")
    on.times = 1
    guarding = Guarding(on, tmp_path).watch(1)
    assert guarding.said[0].startswith("IndexError: list index out of range (unexpected, at test_guard.py:")
    on.outside_start("omni")
    guarding.watch(31)
    assert [one.request for one in guarding.acts] == ["guard", "stop omni"]
    assert set(on.running()) == {"training"}


def test_what_goes_on_being_raised_is_written_down_once_and_does_not_spin(tmp_path: Path) -> None:
    on = Raising(PROJECT, RULES, 128 * GB)
    on.times = 60
    guarding = Guarding(on, tmp_path).watch(100)
    assert len(guarding.said) == 2, "once when it was raised, and once when it was written down"
    assert [one.request for one in guarding.acts] == ["guard"]


class Replaced(SimulatedSession):
    """A lab whose engine became another one while it was away."""

    def engine_now(self) -> Identity:
        return self.docker.identity().model_copy(update={"id": "another"})


def test_an_engine_that_was_replaced_has_the_guard_begin_anew(tmp_path: Path) -> None:
    on = machine()
    said: list[str] = []
    assert Guard(Replaced(on, tmp_path), said.append, on.beside).run() is True
    assert said == ["guarding lab", "another engine answers by now: the guard begins anew"]


def test_a_journal_that_is_not_understood_is_said_once_and_two_sides_are_ended_all_the_same(tmp_path: Path) -> None:
    on = running(tmp_path, ModeRequest(mode="training"))
    on.files["lab.journal"] = on.files["lab.journal"].replace(b'"kind":"ended"', b'"kind":"endee"', 1)
    on.put("omni", "created")
    on.outside_start("omni")
    watched = Guarding(on, tmp_path).watch(120)
    (said,) = [line for line in watched.said if "1 record that this release does not understand" in line]
    assert "what is held is not known; where a newer release is installed, use that" in said
    assert set(on.running()) == {"training"}


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    """A folder of the locks and leases, beside which there is room."""
    folder = tmp_path / "locks"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("what", BROKEN)
def test_a_guard_ends_what_breaks_a_rule_whatever_of_journal_lock_and_leases_is_broken_and_says_so_once(
    what: Broken, locks: Path
) -> None:
    on = running(locks, ModeRequest(mode="training"))
    on.put("omni", "exited")
    guarding = Guarding(on, locks)
    with broken(what, on, locks):
        guarding.watch(1)
        for _ in range(2):
            on.outside_start("omni")
            guarding.watch(31)
            assert set(on.running()) == {"training"}
    told = [line for line in guarding.said if "guard " in line and ": stop omni:" not in line]
    assert told
    assert len(told) == len(set(told)), told
    assert guarding.stopped == ([] if "journal" in what else ["stop omni", "stop omni"])
    guarding.watch(31)
    on.outside_start("omni")
    assert guarding.watch(31).stopped[-1] == "stop omni"


@pytest.mark.parametrize("what", BROKEN)
def test_a_guard_gives_way_to_memory_whatever_of_journal_lock_and_leases_is_broken(what: Broken, locks: Path) -> None:
    on = running(locks)
    leave(on, FLOOR - GB / 2)
    with broken(what, on, locks):
        Guarding(on, locks).watch(60)
    assert set(on.running()) == {"xtts", "ollama"}


def test_what_ran_before_does_not_come_back_after_a_training_while_the_journal_cannot_be_written(tmp_path: Path) -> None:
    on = running(tmp_path)
    ask(on, tmp_path, ModeRequest(mode="training"), then=True)
    guarding = Guarding(on, tmp_path).watch(5)
    on.die("training", 0)
    with broken("the journal is read-only", on, tmp_path):
        assert guarding.watch(40).machine.running() == {}
    assert set(guarding.watch(40).machine.running()) == {"xtts", "whisper", "ollama"}
