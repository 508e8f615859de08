"""A model host that systemd runs: it goes before what excludes its models comes, and it comes back with the rest."""

from pathlib import Path

import pytest

from spark_mode.engine.beside_units import beside_units
from spark_mode.engine.doors import UnitState
from spark_mode.errors import ConfigurationError, SwitchFailed
from spark_mode.lab.rules import ProfileNeeds
from spark_mode.planning.request import ModeRequest, Request, RestoreRequest, StopRequest, UpRequest
from spark_mode.reporting.status import status
from spark_mode.switching.report import SwitchOptions
from spark_mode.switching.transaction import Transaction
from tests.nobody import Nobody
from tests.simulation.lab import WITH_DAEMON, SimulatedSession, ask, machine, recover
from tests.simulation.machine import SimulatedMachine, SimulatedUnits
from tests.simulation.test_crashes import killed_during
from tests.simulation.test_guard import Guarding

TRAINING, OMNI = ModeRequest(mode="training"), ModeRequest(mode="audio", profile="omni")


@pytest.fixture
def on(tmp_path: Path) -> SimulatedMachine:
    """A machine on which omni runs, and the unit of a model host."""
    made = machine(rules=WITH_DAEMON)
    ask(made, tmp_path, OMNI)
    made.unit_runs = True
    return made


def test_a_unit_whose_models_are_excluded_is_stopped_before_the_start_and_restore_starts_it_again(
    on: SimulatedMachine, tmp_path: Path
) -> None:
    plan = SimulatedSession(on, tmp_path).plan(TRAINING)
    assert [(one.name, one.rule) for one in plan.preemptions or ()] == [
        ("omni", "training-without-audio"),
        ("served", "training-without-llm"),
    ]
    assert [(step.action, step.subject) for step in plan.steps if step.action in ("stop", "start")] == [
        ("stop", "omni"),
        ("stop", "served"),
        ("start", "training"),
    ]
    ask(on, tmp_path, TRAINING)
    assert on.acts.index("stop served.service") < on.acts.index("start training")
    assert (set(on.running()), on.unit_runs) == ({"training"}, False)
    ask(on, tmp_path, RestoreRequest())
    assert (set(on.running()), on.unit_runs) == ({"omni"}, True)


def test_what_did_not_run_before_is_not_started(on: SimulatedMachine, tmp_path: Path) -> None:
    on.unit_runs = False
    ask(on, tmp_path, TRAINING)
    ask(on, tmp_path, RestoreRequest())
    assert on.unit_runs is False
    assert not [act for act in on.acts if "served" in act]


@pytest.mark.parametrize("request_", [UpRequest(names=("devstral",)), UpRequest(names=("served",))], ids=str)
def test_who_asks_for_a_model_or_its_host_has_the_unit_started(request_: Request, tmp_path: Path) -> None:
    on = machine(rules=WITH_DAEMON)
    ask(on, tmp_path, request_)
    assert on.unit_runs is True
    ask(on, tmp_path, StopRequest())
    assert on.unit_runs is False


def test_a_mode_whose_model_needs_the_unit_has_it_started(on: SimulatedMachine, tmp_path: Path) -> None:
    on.unit_runs = False
    on.rules = WITH_DAEMON.model_copy(update={"profiles": {"omni": ProfileNeeds(models=("devstral",))}})
    ask(on, tmp_path, OMNI)
    assert (set(on.running()), on.unit_runs) == ({"omni"}, True)


def test_a_start_that_fails_brings_the_unit_back(on: SimulatedMachine, tmp_path: Path) -> None:
    tried, folder = on.fork(), tmp_path / "tried"
    folder.mkdir()
    ask(tried, folder, TRAINING)
    on.fail_at, on.fault = tried.acts.index("start training"), "crash"
    with pytest.raises(SwitchFailed, match="What ran before runs again"):
        ask(on, tmp_path, TRAINING)
    assert (set(on.running()), on.unit_runs) == ({"omni"}, True)


@pytest.mark.parametrize("back", [False, True], ids=["to training", "and back"])
def test_one_recovery_settles_a_unit_whenever_a_switch_was_killed(back: bool, on: SimulatedMachine, tmp_path: Path) -> None:
    if back:
        ask(on, tmp_path, TRAINING)
    request: Request = RestoreRequest() if back else TRAINING
    sides = [({"training"}, False), ({"omni"}, True)]
    runs = 0
    for one in killed_during(on, tmp_path, lambda one: ask(one, tmp_path, request)):
        runs += 1
        recover(one, tmp_path)
        assert (set(one.running()), one.unit_runs) in sides, one.acts
        assert one.wrongs == []
    assert runs > 5


def test_a_unit_that_somebody_starts_beside_training_is_stopped_again(on: SimulatedMachine, tmp_path: Path) -> None:
    ask(on, tmp_path, TRAINING)
    guarding = Guarding(on, tmp_path).watch(1)
    on.unit_runs = True
    guarding.watch(1)
    assert on.unit_runs is False
    assert guarding.stopped == ["stop served"]


def test_a_unit_that_does_not_come_up_is_named_with_its_reason(on: SimulatedMachine, tmp_path: Path) -> None:
    on.unit_runs, on.unit_fails = False, True
    with pytest.raises(SwitchFailed, match=r"served did not start.*it failed with result 'exit-code'"):
        ask(on, tmp_path, UpRequest(names=("served",)))


def test_a_plan_that_may_not_stop_a_unit_is_refused_before_anything_is_stopped(on: SimulatedMachine, tmp_path: Path) -> None:
    class NotAllowed(SimulatedUnits):
        def fault(self, unit: str, verb: str) -> str | None:
            return f"you may not {verb} {unit}"

    session, acts = SimulatedSession(on, tmp_path), list(on.acts)
    session.units = NotAllowed(on)
    with pytest.raises(ConfigurationError, match=r"you may not stop served\.service"):
        Transaction(session, SwitchOptions(yes=True), Nobody(), None).switch(TRAINING)
    refusal = session.plan(TRAINING).refusal
    assert refusal and refusal.kind == "configuration"
    assert "or, where systemd does not run it, leave out its unit: in rules.yaml" in (refusal.hint or "")
    assert on.acts == acts
    stop = session.plan(StopRequest())
    assert (stop.refusal, stop.warnings[-1]) == (None, "you may not stop served.service"), "a stop does what it can"


@pytest.mark.parametrize("said", [UnitState(), UnitState("not-found", "inactive")], ids=["nothing", "no such unit"])
def test_of_a_unit_that_systemd_says_nothing_of_it_is_said_that_nobody_knows_whether_it_runs(
    said: UnitState, on: SimulatedMachine, tmp_path: Path
) -> None:
    class NotTold(SimulatedUnits):
        def state(self, unit: str) -> UnitState:
            return said

    def note(session: SimulatedSession) -> list[str]:
        session.docker = beside_units(on, NotTold(on), session.rules, session.project)
        noted = [one for one in status(session).notes if "is not known" in one]
        assert noted == [one for one in session.plan(TRAINING).warnings if "is not known" in one]
        return noted

    assert note(SimulatedSession(on, tmp_path)) == [], "somebody listens at its address"
    on.unit_runs = False
    assert note(SimulatedSession(on, tmp_path)) == [
        "whether served runs is not known: systemd says nothing of served.service, and nobody listens at http://127.0.0.1:2; "
        "it counts as stopped (why: spark-mode check)"
    ]
