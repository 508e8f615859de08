"""A model host outside Docker: whatever its clients have it load, nothing of it stays beside what excludes it."""

from pathlib import Path

import pytest

from spark_mode.errors import NeedsAttention, SwitchFailed
from spark_mode.lab.rules import Exclusive, GuardPolicy
from spark_mode.lab.size import GB
from spark_mode.planning.conflict_policy import conflict_victims
from spark_mode.planning.observed import LoadedModel
from spark_mode.planning.request import ModeRequest
from spark_mode.reporting.history import history
from spark_mode.reporting.status import status
from spark_mode.switching.report import SwitchOptions
from spark_mode.switching.transaction import Transaction
from tests.nobody import Nobody
from tests.simulation.lab import LARGE, WITH_DAEMON, SimulatedSession, ask, machine, observer_of, recover
from tests.simulation.machine import SimulatedMachine
from tests.simulation.test_guard import Guarding

TRAINING = ModeRequest(mode="training")


class Client:
    """Somebody who has a model loaded every so many seconds; `held` is for how long each stayed, seconds."""

    def __init__(self, on: SimulatedMachine, model: str = LARGE, every: float = 10.0) -> None:
        self.on, self.model, self.every = on, model, every
        self.held: list[float] = []
        self._since: float | None = None
        self._next = on.time + 1.0

    def __call__(self) -> None:
        if self._since is not None and self.model not in self.on.daemon:
            self.held.append(self.on.time - self._since)
            self._since = None
        if self.on.time >= self._next:
            self._next += self.every
            self.on.daemon[self.model] = 40 * GB
            self._since = self.on.time


@pytest.fixture
def on(tmp_path: Path) -> SimulatedMachine:
    """A machine on which training runs, with a daemon that has nothing loaded."""
    made = machine(rules=WITH_DAEMON)
    ask(made, tmp_path, TRAINING)
    return made


@pytest.mark.parametrize("model", [LARGE, "a-stranger:latest"])
def test_what_a_client_loads_beside_training_is_unloaded_within_a_second_each_time(
    model: str, on: SimulatedMachine, tmp_path: Path
) -> None:
    client = Client(on, model)
    Guarding(on, tmp_path).watch(120, client)
    assert len(client.held) == 12
    assert max(client.held) <= 1.0, client.held
    assert set(on.running()) == {"training"}


def test_unloads_are_written_down_and_many_of_them_leave_the_history_its_room(on: SimulatedMachine, tmp_path: Path) -> None:
    guarding = Guarding(on, tmp_path).watch(1500, Client(on))
    notes = [one.note or "" for one in guarding.acts if one.request == f"unload {LARGE}" and one.outcome == "enforced"]
    assert len(notes) == WITH_DAEMON.guard.patience + 2
    assert notes[0].startswith("training runs, and ")
    assert notes[-1].endswith("; 60 times within 600 s")
    (said,) = [note for note in status(SimulatedSession(on, tmp_path)).notes if LARGE in note]
    assert "60 times within 600 s" in said


def test_a_daemon_that_keeps_a_model_is_warned_of_and_asked_again(on: SimulatedMachine, tmp_path: Path) -> None:
    guarding = Guarding(on, tmp_path).watch(1)
    on.daemon[LARGE], on.daemon_keeps = 40 * GB, True
    guarding.watch(60)
    assert {(one.request, one.outcome) for one in guarding.acts} == {(f"unload {LARGE}", "warned")}
    assert on.acts.count(f"unload {LARGE}") > 1
    on.daemon_keeps = False
    guarding.watch(60)
    assert on.daemon == {}


def test_a_recovery_that_leaves_a_model_beside_training_needs_attention(on: SimulatedMachine, tmp_path: Path) -> None:
    on.daemon[LARGE], on.daemon_keeps = 40 * GB, True
    with pytest.raises(NeedsAttention, match="was to be unloaded, and is still loaded"):
        recover(on, tmp_path)
    on.daemon_keeps = False
    assert recover(on, tmp_path).outcome == "unchanged"
    assert on.daemon == {}


def test_a_guard_that_warns_only_leaves_a_model_and_says_so_once(on: SimulatedMachine, tmp_path: Path) -> None:
    on.rules = WITH_DAEMON.model_copy(update={"guard": GuardPolicy(on_violation="warn")})
    guarding = Guarding(on, tmp_path).watch(1)
    on.daemon[LARGE] = 40 * GB
    guarding.watch(120)
    assert LARGE in on.daemon
    assert [(one.outcome, one.note and one.note.endswith("warn only")) for one in guarding.acts] == [("warned", True)]


def test_a_model_goes_and_what_it_was_loaded_beside_stays_but_not_one_that_the_last_switch_admitted(tmp_path: Path) -> None:
    apart = Exclusive(name="apart", because="they never fit", exclusive=("omni", LARGE))
    on = machine(rules=WITH_DAEMON.model_copy(update={"rules": (apart,)}))
    ask(on, tmp_path, ModeRequest(mode="audio", profile="omni"))
    on.daemon[LARGE] = 40 * GB
    seen = observer_of(on).observe_running()
    seen = seen.model_copy(update={"loaded": {"daemon": (LoadedModel(host="daemon", model=LARGE, size=1, workload=LARGE),)}})
    assert [one.service for one in conflict_victims(seen, on.project, on.rules, kept=())] == [LARGE]
    assert [one.service for one in conflict_victims(seen, on.project, on.rules, kept=(LARGE,))] == ["omni"]


def test_a_switch_unloads_what_a_client_loads_while_it_waits_and_goes_on(tmp_path: Path) -> None:
    on = machine(rules=WITH_DAEMON)
    ask(on, tmp_path, ModeRequest(mode="audio", profile="omni"))

    class Loading(Nobody):
        """Has a model loaded as soon as training has been started."""

        def progress(self, available: int | None, line: str) -> None:
            if not loaded:
                loaded.append(LARGE)
                on.daemon[LARGE] = 40 * GB

    loaded: list[str] = []
    session = SimulatedSession(on, tmp_path)
    report = Transaction(session, SwitchOptions(yes=True), Loading(), None).switch(TRAINING)
    assert (report.outcome, loaded, on.daemon) == ("applied", [LARGE], {})
    assert [one.request for one in history(session) if one.outcome == "enforced"] == [f"unload {LARGE}"]


@pytest.mark.parametrize("write", range(3, 8))
def test_what_a_client_loads_before_a_start_is_unloaded_and_the_switch_goes_on(write: int, tmp_path: Path) -> None:
    on = machine(rules=WITH_DAEMON)
    ask(on, tmp_path, ModeRequest(mode="audio", profile="omni"))
    on.before_write[len(on.lines) + write] = lambda engine: engine.daemon.update({LARGE: GB})
    ask(on, tmp_path, TRAINING)
    assert (on.wrongs, on.daemon, set(on.running())) == ([], {}, {"training"})


def test_what_a_client_loads_at_the_last_moment_keeps_a_start_from_its_place(tmp_path: Path) -> None:
    on = machine(rules=WITH_DAEMON)
    ask(on, tmp_path, ModeRequest(mode="audio", profile="omni"))
    on.before_write[len(on.lines) + 8] = lambda engine: engine.daemon.update({LARGE: GB})
    with pytest.raises(SwitchFailed, match=f"{LARGE} is loaded in daemon again"):
        ask(on, tmp_path, TRAINING)
    assert (on.wrongs, set(on.running())) == ([], {"omni"})
