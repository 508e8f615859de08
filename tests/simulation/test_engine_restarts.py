"""The engine restarts in the middle of a switch: before every effect of it, or where it does not answer any more.

What its restart policies bring back then is never beside the other side, nor does the switch start anything beside it.
"""

from contextlib import suppress
from pathlib import Path

import pytest

from spark_mode.errors import EngineUnavailable, SparkModeError
from spark_mode.planning.request import ModeRequest, Request, RestoreRequest, StopRequest
from tests.deep import DEEP
from tests.simulation.lab import POLICIES, ask, machine, recover
from tests.simulation.machine import SimulatedMachine

OMNI, XTTS, TRAINING = (
    ModeRequest(mode="audio", profile="omni"),
    ModeRequest(mode="audio", profile="xtts"),
    ModeRequest(mode="training"),
)
MODES: tuple[Request, ...] = (OMNI, XTTS, TRAINING)
PAIRS = [(former, request) for former in MODES for request in (*MODES, StopRequest()) if former != request]
FEWER = PAIRS if DEEP else PAIRS[::2]
"""Each mode is left for another one, and come to."""
ROUND: list[tuple[Request, Request]] = [(OMNI, TRAINING), (TRAINING, XTTS), (XTTS, OMNI)]
POLICY = [POLICIES | {"training": policy} for policy in (("no", "unless-stopped", "always") if DEEP else ("always",))]
"""A training that always comes back is the worst; with the others in `make test-deep`."""


PREPARED: dict[tuple[str, str | None], SimulatedMachine] = {}
"""Machines by their mode and the policy of their training, to be forked."""


class Watched(SimulatedMachine):
    """A machine whose engine brings nothing back beside the other side."""

    def restart(self) -> None:
        super().restart()
        require_one_side(self)


def require_one_side(one: SimulatedMachine) -> None:
    running = {*one.running()}
    assert one.wrongs == []
    assert "training" not in running or running == {"training"}, f"{one.acts} left {running}"


def prepared(former: Request, policies: dict[str, str], folder: Path) -> SimulatedMachine:
    """Return a machine in a mode, on which everything was started and stopped before."""
    if (known := (str(former), policies.get("training"))) not in PREPARED:
        one = PREPARED[known] = machine()
        one.__class__ = Watched
        one.policies = policies
        for request in (*MODES, former):
            ask(one, folder, request)
    return PREPARED[known].fork()


def played(
    former: Request, request: Request, policies: dict[str, str], folder: Path
) -> tuple[SimulatedMachine, SimulatedMachine]:
    """Return a machine in a mode, and the same after a request that nothing disturbs."""
    start = prepared(former, policies, folder)
    whole = start.fork()
    ask(whole, folder, request)
    return start, whole


def asked(one: SimulatedMachine, folder: Path, request: Request | None) -> None:
    """Ask for something, or recover, which has to succeed, and see that one side runs."""
    if request is None:
        recover(one, folder)
    else:
        with suppress(SparkModeError):
            ask(one, folder, request)
    require_one_side(one)


@pytest.mark.parametrize("policies", POLICY, ids=lambda one: one["training"])
@pytest.mark.parametrize(("former", "request_"), FEWER, ids=str)
def test_whenever_the_engine_restarts_beneath_a_switch_two_sides_never_run(
    former: Request, request_: Request, policies: dict[str, str], tmp_path: Path
) -> None:
    start, whole = played(former, request_, policies, tmp_path)
    for effect in range(start.effects, whole.effects + 1, 1 if DEEP else 2):
        one = start.fork()
        one.restart_at = effect
        asked(one, tmp_path, request_)
        one.restart()
        with suppress(SparkModeError):
            recover(one, tmp_path)
        require_one_side(one)


@pytest.mark.parametrize("policies", POLICY, ids=lambda one: one["training"])
@pytest.mark.parametrize(("former", "request_"), FEWER, ids=str)
def test_whenever_the_engine_goes_and_comes_back_the_next_request_never_has_two_sides_run(
    former: Request, request_: Request, policies: dict[str, str], tmp_path: Path
) -> None:
    start, whole = played(former, request_, policies, tmp_path)
    for act in range(len(start.acts), len(whole.acts), 1 if DEEP else 2):
        one = start.fork()
        one.fail_at, one.fault = act, "engine"
        with pytest.raises(EngineUnavailable):
            ask(one, tmp_path, request_)
        one.fail_at, one.engine_answers = None, True
        one.restart()
        for request in (*MODES, None):
            other = one.fork()
            asked(other, tmp_path, request)
            other.restart()


@pytest.mark.parametrize(("former", "request_"), [pair for pair in PAIRS if pair[1].verb != "stop"] if DEEP else ROUND, ids=str)
def test_what_an_engine_that_was_killed_does_not_know_to_run_is_never_beside_the_other_side(
    former: Request, request_: Request, tmp_path: Path
) -> None:
    start, whole = played(former, request_, POLICIES, tmp_path)
    for act, what in enumerate(whole.acts[len(start.acts) :], len(start.acts)):
        if not what.startswith(("up ", "start ")):
            continue
        one = start.fork()
        one.fail_at, one.fault = act, "lost"
        with pytest.raises(EngineUnavailable):
            ask(one, tmp_path, request_)
        assert one.unseen
        one.fail_at, one.engine_answers = None, True
        one.restart()
        for request in (*MODES, None, RestoreRequest(), StopRequest()):
            other = one.fork()
            asked(other, tmp_path, request)
            assert other.unseen == set()
