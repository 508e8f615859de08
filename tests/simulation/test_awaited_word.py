"""A switch that waits for its word holds the lock, has changed nothing, and does what was planned or nothing at all."""

from collections.abc import Callable
from pathlib import Path

import pytest

from spark_mode.errors import LockBusy, Refused
from spark_mode.planning.request import ModeRequest, Request
from spark_mode.reporting.history import history
from spark_mode.sharing.kept_requests import DROP, EXPIRED, GO, KeptRequest
from spark_mode.switching.awaited_word import AwaitedWord
from spark_mode.switching.report import Report, SwitchOptions
from spark_mode.switching.transaction import Transaction
from tests.nobody import Nobody
from tests.simulation.lab import SimulatedSession, ask, machine, recover
from tests.simulation.machine import SimulatedMachine

ID = "0123456789abcdef"
TRAINING, OMNI = ModeRequest(mode="training"), ModeRequest(mode="audio", profile="omni")
LEASE = 30.0


class AtTheWord(Nobody):
    """Does something once the plan stands and the word is waited for."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act = act

    def admitted(self) -> None:
        self._act()


def request_in(folder: Path) -> KeptRequest:
    (folder / "requests" / ID).mkdir(parents=True, exist_ok=True)
    return KeptRequest(ID, folder / "requests")


def waits(one: SimulatedMachine, folder: Path, act: Callable[[], object], request: Request = TRAINING) -> Report:
    """Ask for a switch that waits for its word; something is done while it does."""
    session = SimulatedSession(one, folder)
    word = AwaitedWord(request_in(folder), LEASE, session.clock)
    return Transaction(session, SwitchOptions(yes=True), AtTheWord(act), None, word).switch(request)


def undo(one: SimulatedMachine, folder: Path, switch: str | None) -> Report:
    """Bring back what ran before a switch, because another machine has not done its part."""
    session = SimulatedSession(one, folder)
    options = SwitchOptions(yes=True, only_after=switch, why="another machine of the same request did not")
    return Transaction(session, options, Nobody(), None).switch(session.restore_request())


@pytest.fixture
def one(tmp_path: Path) -> SimulatedMachine:
    made = machine()
    ask(made, tmp_path, OMNI)
    return made


def test_at_its_word_it_is_carried_out(tmp_path: Path, one: SimulatedMachine) -> None:
    report = waits(one, tmp_path, lambda: request_in(tmp_path).say(GO))
    assert (report.outcome, report.mode) == ("applied", "training")
    assert report.switch


@pytest.mark.parametrize("word", [DROP, EXPIRED])
def test_at_any_other_word_nothing_is_touched(tmp_path: Path, one: SimulatedMachine, word: str) -> None:
    before, acts = one.running(), len(one.acts)
    with pytest.raises(Refused, match="nothing was touched"):
        waits(one, tmp_path, lambda: request_in(tmp_path).say(word))
    assert (one.running(), one.acts[acts:]) == (before, [])


def test_without_a_word_the_lease_ends_and_whoever_comes_later_is_too_late(tmp_path: Path, one: SimulatedMachine) -> None:
    before, began = one.running(), one.time
    with pytest.raises(Refused, match="no word came within 30 s; nothing was touched"):
        waits(one, tmp_path, lambda: None)
    assert LEASE <= one.time - began < LEASE + 1
    assert request_in(tmp_path).say(GO) == EXPIRED
    assert one.running() == before
    assert ask(one, tmp_path, TRAINING).mode == "training"


def test_nobody_else_switches_while_it_waits(tmp_path: Path, one: SimulatedMachine) -> None:
    def other() -> None:
        with pytest.raises(LockBusy, match="waiting for the word"):
            ask(one, tmp_path, ModeRequest(mode="audio", profile="xtts"))
        request_in(tmp_path).say(GO)

    assert waits(one, tmp_path, other).outcome == "applied"


def test_what_others_started_meanwhile_refuses_it_and_nothing_is_touched(tmp_path: Path, one: SimulatedMachine) -> None:
    acts = list(one.acts)

    def other() -> None:
        one.put("whisper", "running")
        acts[:] = one.acts
        request_in(tmp_path).say(GO)

    with pytest.raises(Refused, match="the plan is another one by now"):
        waits(one, tmp_path, other)
    assert one.acts == acts


def test_a_switch_with_nothing_to_do_waits_as_well(tmp_path: Path, one: SimulatedMachine) -> None:
    assert waits(one, tmp_path, lambda: request_in(tmp_path).say(GO), OMNI).outcome == "unchanged"
    with pytest.raises(Refused):
        (request_in(tmp_path).path / "word").unlink()
        waits(one, tmp_path, lambda: request_in(tmp_path).say(DROP), OMNI)


def test_what_undoes_a_switch_is_done_only_while_that_is_the_last_one(tmp_path: Path, one: SimulatedMachine) -> None:
    first = ask(one, tmp_path, TRAINING)
    assert undo(one, tmp_path, first.switch).mode == "audio omni"
    assert history(SimulatedSession(one, tmp_path))[-1].note == "another machine of the same request did not"
    second = ask(one, tmp_path, TRAINING)
    ask(one, tmp_path, ModeRequest(mode="audio", profile="xtts"))
    with pytest.raises(Refused, match="another switch came after it"):
        undo(one, tmp_path, second.switch)


def test_a_word_that_comes_as_the_lease_ends_counts_once_for_all(tmp_path: Path, one: SimulatedMachine) -> None:
    class Late(KeptRequest):
        """Whoever asks says go right after the last look for it."""

        def say(self, word: str) -> str:
            assert request_in(tmp_path).say(GO) == GO
            return super().say(word)

    session = SimulatedSession(one, tmp_path)
    request_in(tmp_path)
    word = AwaitedWord(Late(ID, tmp_path / "requests"), LEASE, session.clock)
    assert Transaction(session, SwitchOptions(yes=True), Nobody(), None, word).switch(TRAINING).outcome == "applied"


@pytest.mark.parametrize("comes_back", [True, False])
def test_an_engine_that_restarts_meanwhile_is_looked_at_again_before_anything_is_done(
    tmp_path: Path, one: SimulatedMachine, comes_back: bool
) -> None:
    one.change(one.containers("lab")[0].id, restart_policy="unless-stopped" if comes_back else "no")

    def restarted() -> None:
        one.restart()
        assert bool(one.running()) == comes_back
        request_in(tmp_path).say(GO)

    if comes_back:
        assert waits(one, tmp_path, restarted).mode == "training"
        one.restart()
        assert "omni" not in one.running()
    else:
        with pytest.raises(Refused, match="the plan is another one by now: it stops nothing; nothing was touched"):
            waits(one, tmp_path, restarted)
    assert one.wrongs == []


def test_nobody_recovers_or_goes_back_while_it_waits_and_what_was_let_go_is_no_switch(
    tmp_path: Path, one: SimulatedMachine
) -> None:
    first = ask(one, tmp_path, TRAINING)

    def others() -> None:
        with pytest.raises(LockBusy, match="waiting for the word"):
            recover(one, tmp_path)
        with pytest.raises(LockBusy, match="waiting for the word"):
            undo(one, tmp_path, first.switch)
        request_in(tmp_path).say(DROP)

    with pytest.raises(Refused, match="nothing was touched"):
        waits(one, tmp_path, others, OMNI)
    assert undo(one, tmp_path, first.switch).mode == "audio omni"
