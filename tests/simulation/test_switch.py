"""A switch against the simulated machine: whichever effect fails, what ran before runs again, and never both sides."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_mode.errors import EngineUnavailable, NeedsAttention, SparkModeError, SwitchFailed
from spark_mode.lab.size import GB
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import ForeignContainer
from spark_mode.planning.plan import Plan, Step
from spark_mode.planning.planner import plan as make_plan
from spark_mode.planning.request import ModeRequest, Request
from spark_mode.switching.watcher import Watcher
from tests.deep import DEEP
from tests.nobody import Nobody
from tests.simulation.lab import PROJECT, REQUESTS, RULES, observer_of, switch_on
from tests.simulation.machine import ComposeOf, SimulatedMachine


def machine_with(request: Request | None) -> SimulatedMachine:
    return (machine_in(request) if request else SimulatedMachine(PROJECT, RULES, 128 * GB)).fork()


@cache
def machine_in(request: Request) -> SimulatedMachine:
    """Return a machine in a mode, to be forked."""
    machine = SimulatedMachine(PROJECT, RULES, 128 * GB)
    switch(machine, request)
    machine.acts.clear()
    return machine


def switch(machine: SimulatedMachine, request: Request, restore: bool = True, watcher: Watcher | None = None) -> Plan:
    before = observer_of(machine).observe_all()
    plan = make_plan(request, PROJECT, RULES, before, 128 * GB)
    assert plan.refusal is None
    switch_on(machine, watcher).run(plan, before, restore)
    return plan


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
def test_every_pair_of_modes_ends_in_the_second_with_nothing_left_to_do(request_: Request) -> None:
    for former in REQUESTS:
        machine = machine_with(former)
        switch(machine, request_)
        assert machine.highest_overlap == 0, former
        assert switch(machine, request_).steps == (), former


def test_what_was_in_a_network_that_is_gone_is_made_anew_and_starts() -> None:
    machine = machine_with(ModeRequest(mode="training"))
    cut_off = machine.put("omni", "exited")
    machine.change(cut_off.id, networks=("gone",))
    switch(machine, ModeRequest(mode="audio", profile="omni"))
    assert list(machine.running()) == ["omni"]
    assert machine.container(cut_off.id) is None
    assert machine.acts[0] == "create omni"


FAULTS = ("compose", "crash")


def faults(former: Request, request_: Request) -> tuple[str, ...]:
    """Return how the effects of a switch fail: each mode is left, and come to, in both ways."""
    turn = (REQUESTS.index(former) + REQUESTS.index(request_)) % 2
    return FAULTS if DEEP else FAULTS[turn : turn + 1]


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
def test_whichever_effect_fails_what_ran_before_runs_again(request_: Request) -> None:
    for former, fault in [(one, fault) for one in REQUESTS for fault in faults(one, request_)]:
        good = machine_with(former)
        switch(good, request_)
        failures = 0
        for effect in range(len(good.acts)):
            machine = machine_with(former)
            before = machine.running()
            machine.fail_at, machine.fault = effect, fault
            try:
                switch(machine, request_)
            except SwitchFailed:
                failures += 1
                assert machine.running() == before, f"{former}, {fault}: after {machine.acts}"
            else:
                assert machine.running() == good.running(), f"{former}, {fault}: after {machine.acts}"
            assert machine.highest_overlap == 0, f"{former}, {fault}"
        assert failures or not any(act.startswith("up ") for act in good.acts), f"{former}, {fault}"


@pytest.mark.parametrize("request_", REQUESTS[:6], ids=str)
def test_nothing_is_started_once_the_engine_does_not_answer(request_: Request) -> None:
    former = REQUESTS[5] if str(request_).startswith("audio") else REQUESTS[0]
    good = machine_with(former)
    switch(good, request_)
    for effect in range(len(good.acts)):
        machine = machine_with(former)
        machine.fail_at, machine.fault = effect, "engine"
        with pytest.raises((EngineUnavailable, NeedsAttention)):
            switch(machine, request_)
        assert len(machine.acts) == effect + 1


def test_without_restore_a_failed_start_leaves_stopped_what_was_stopped() -> None:
    machine = machine_with(REQUESTS[0])
    machine.fail_at, machine.fault = 2, "crash"
    with pytest.raises(SwitchFailed, match="stays stopped"):
        switch(machine, ModeRequest(mode="training"), restore=False)
    assert machine.running() == {}


def test_a_failure_before_the_first_stop_touches_nothing() -> None:
    machine = machine_with(REQUESTS[0])
    machine.fail_at = 0
    with pytest.raises(SwitchFailed, match="Nothing was stopped"):
        switch(machine, ModeRequest(mode="training"))
    assert machine.running() == {"omni": None}


def test_a_start_is_refused_when_the_other_side_appeared_meanwhile() -> None:
    machine = machine_with(REQUESTS[0])

    class Intruder(ComposeOf):
        def stop(self, service: str, seconds: int) -> None:
            super().stop(service, seconds)
            container = Container(id="x", name="ssd-training", state="running")
            machine.foreign = (
                ForeignContainer(
                    container=container, image="x", labels={"org.spark-mode.workload": "training", "class": "training"}
                ),
            )

    before = observer_of(machine).observe_all()
    plan = make_plan(ModeRequest(mode="audio", profile="xtts"), PROJECT, RULES, before, 128 * GB)
    watcher = Nobody()
    with pytest.raises(SwitchFailed, match="training became active meanwhile") as failed:
        switch_on(machine, watcher, compose=Intruder(machine)).run(plan, before, True)
    assert not [line for line in watcher.begun if line.startswith("start ")]
    assert 'lab-omni-1 is not started again: the container "ssd-training" outside this lab is running' in failed.value.message
    assert machine.running() == {}


def test_where_what_ran_before_was_against_the_rules_it_comes_back_without_the_victims_of_the_policy() -> None:
    machine = machine_with(ModeRequest(mode="audio", profile="chatterbox"))
    machine.put("training", "running")
    machine.sick.add("xtts")
    with pytest.raises(SwitchFailed, match="lab-chatterbox-1 does not come back: training runs, and training runs alone"):
        switch(machine, ModeRequest(mode="audio", profile="xtts"))
    assert set(machine.running()) == {"training"}


def test_a_verify_calls_nothing_healthy_that_is_not() -> None:
    machine = machine_with(ModeRequest(mode="audio", profile="chatterbox"))
    machine.sick.add("whisper")
    plan = switch(machine, ModeRequest(mode="audio", profile="xtts"))
    assert plan.steps[-1].cause == "whisper unhealthy as before, the rest healthy; nothing of training active"
    assert any("whisper is unhealthy and is kept" in one for one in plan.warnings)


def test_what_becomes_unhealthy_during_a_switch_is_said_at_its_end() -> None:
    machine = machine_with(ModeRequest(mode="audio", profile="chatterbox"))
    watcher = Sickening(machine, "whisper")
    switch(machine, ModeRequest(mode="audio", profile="xtts"), watcher=watcher)
    assert watcher.warnings == ["whisper is unhealthy; look at its log: docker logs lab-whisper-1"]


class Sickening(Nobody):
    """A watcher during whose switch a service becomes unhealthy."""

    def __init__(self, machine: SimulatedMachine, service: str) -> None:
        super().__init__()
        self._machine, self._service = machine, service

    def started(self, number: int, step: Step) -> None:
        self._machine.sick.add(self._service)


@settings(max_examples=100 if DEEP else 30)
@given(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=6), st.integers(0, 30), st.sampled_from(["compose", "crash"]))
def test_the_two_sides_never_meet_whatever_is_asked_and_fails(requests: list[Request], fail_at: int, fault: str) -> None:
    machine = machine_with(None)
    machine.fail_at, machine.fault = fail_at, fault
    for request in requests:
        try:
            switch(machine, request)
        except SparkModeError as error:
            assert error.message
    assert machine.highest_overlap == 0
