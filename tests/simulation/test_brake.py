"""`stop` is a brake: it stops what can be stopped, names what is left, starts nothing, and is held up by nothing."""

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from spark_mode.errors import ConfigurationError, SwitchFailed
from spark_mode.journal.journal import Journal, JournalFailed, journal_state
from spark_mode.journal.records import Record
from spark_mode.lab.no_rules import NO_RULES
from spark_mode.planning.request import RestoreRequest, StopRequest
from spark_mode.sharing.children import children_lock
from spark_mode.sharing.directories import Directories
from spark_mode.switching.report import Report, SwitchOptions
from spark_mode.switching.transaction import Transaction
from tests.nobody import Nobody
from tests.simulation.engine import Killed
from tests.simulation.lab import PROJECT, REQUESTS, RULES, SimulatedSession, ask, machine, recover
from tests.simulation.machine import SimulatedMachine

OMNI, XTTS, TRAINING, STOP = REQUESTS[0], REQUESTS[2], REQUESTS[5], REQUESTS[7]
RESTORE = RestoreRequest()


class Stubborn(SimulatedMachine):
    """A machine on which somebody starts `service` again as soon as it was stopped."""

    service = ""

    def _stop(self, id: str) -> None:
        super()._stop(id)
        if self._containers[id].service == self.service:
            self._begin(id)


class NoJournal:
    """A journal that can be neither read nor written."""

    def records(self) -> list[Mapping[str, Any]]:
        raise JournalFailed("lab.journal: Permission denied", "make it readable")

    def append(self, *records: Record) -> None:
        raise JournalFailed("lab.journal: Read-only file system", "make it writable")

    def history(self) -> list[Mapping[str, Any]]:
        return self.records()


class BrokenSession(SimulatedSession):
    """A lab without a journal, and with no folder for its locks."""

    @property
    def journal(self) -> Journal:
        return NoJournal()

    @property
    def directories(self) -> Directories:
        return Directories(self._folder / "absent", self._folder / "absent", shared=False)


def starts(one: SimulatedMachine, since: int) -> list[str]:
    return [act for act in one.acts[since:] if act.startswith(("up ", "start ", "create "))]


def test_a_stop_that_cannot_stop_everything_stops_the_rest_names_what_is_left_and_starts_nothing(tmp_path: Path) -> None:
    one = Stubborn(PROJECT, RULES, machine().total)
    ask(one, tmp_path, XTTS)
    one.service, acts = "whisper", len(one.acts)
    with pytest.raises(SwitchFailed, match=r"^lab-whisper-1 still runs\n.*still running after its stop") as failed:
        ask(one, tmp_path, STOP)
    assert failed.value.exit_code == 1
    assert "\nlab-whisper-1 is started again by others\n" in failed.value.message
    assert failed.value.hint == "see by whom: docker events --filter container=lab-whisper-1"
    assert one.running() == {"whisper": None}
    assert starts(one, acts) == []
    assert journal_state(one.journal.records()).unfinished is None
    assert recover(one, tmp_path).outcome == "unchanged"


def test_what_a_stop_stopped_is_brought_back_by_restore_though_it_could_not_stop_everything(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, XTTS)
    one.undying.add("whisper")
    with pytest.raises(SwitchFailed) as failed:
        ask(one, tmp_path, STOP)
    assert "by others" not in failed.value.message, "it never ended"
    assert failed.value.hint == "see what runs, and ask again: spark-mode status"
    assert ask(one, tmp_path, RESTORE).mode == "audio xtts"


def test_a_stop_that_compose_fails_at_any_act_has_stopped_everything_and_started_nothing(tmp_path: Path) -> None:
    start = machine()
    ask(start, tmp_path, XTTS)
    whole = start.fork()
    ask(whole, tmp_path, STOP)
    assert len(whole.acts) > len(start.acts)
    for act in range(len(start.acts), len(whole.acts)):
        one = start.fork()
        one.fail_at, one.fault = act, "compose"
        assert ask(one, tmp_path, STOP).mode == "idle"
        assert (one.running(), starts(one, len(start.acts))) == ({}, [])


def test_a_stop_waits_for_nothing_before_it_stops_after_a_crash_and_starts_nothing(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    one.kill_at = (one.effects + 12, "before")
    with pytest.raises(Killed):
        ask(one, tmp_path, TRAINING)
    one.kill_at, acts, asked_at = None, len(one.acts), one.time
    one.outside_start("omni")
    change, ended_at = one.change, list[float]()

    def noted(id: str, **fields: object) -> None:
        change(id, **fields)
        ended_at.extend([one.time] if fields.get("state") == "exited" else [])

    one.change = noted  # type: ignore[method-assign]  # when each container ended
    assert ask(one, tmp_path, STOP).mode == "idle"
    assert max(ended_at) - asked_at < 0.5, "it looks for a start that comes late when everything is stopped, not before"
    assert starts(one, acts) == []
    assert recover(one, tmp_path).outcome == "unchanged"


@pytest.mark.parametrize(("stopped", "stays"), [("training", "omni"), ("omni", "training")])
def test_a_stop_of_one_of_two_sides_leaves_the_other_one_running(stopped: str, stays: str, tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    ask(one, tmp_path, TRAINING)
    one.outside_start("omni")
    ask(one, tmp_path, StopRequest(names=(stopped,)))
    assert set(one.running()) == {stays}


def test_a_stop_of_one_service_leaves_a_switch_that_was_cut_off_to_be_recovered(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, XTTS)
    one.kill_at = (one.effects + 3, "before")
    with pytest.raises(Killed):
        ask(one, tmp_path, TRAINING)
    one.kill_at = None
    before = journal_state(one.journal.records()).unfinished
    ask(one, tmp_path, StopRequest(names=("xtts",)))
    assert before is not None
    assert journal_state(one.journal.records()).unfinished == before
    assert recover(one, tmp_path).mode == "training"


def test_a_stop_that_was_killed_is_finished_by_a_recovery_that_starts_nothing(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, XTTS)
    whole = one.fork()
    ask(whole, tmp_path, STOP)
    acts = len(one.acts)
    for effect in range(one.effects, whole.effects):
        cut_off = one.fork()
        cut_off.kill_at = (effect, "after")
        with pytest.raises(Killed):
            ask(cut_off, tmp_path, STOP)
        cut_off.kill_at = None
        recover(cut_off, tmp_path)
        assert cut_off.running() in ({}, one.running())
        assert starts(cut_off, acts) == []


def test_a_stop_is_not_held_up_by_a_command_that_a_killed_switch_left_behind_and_stops_what_that_starts(tmp_path: Path) -> None:
    start = machine()
    ask(start, tmp_path, OMNI)
    one, effect = start.fork(), start.effects
    while "start training" not in one.acts:  # which the engine carries out some time after its client was killed
        one = start.fork()
        one.kill_at, effect = (effect, "late"), effect + 1
        with pytest.raises(Killed):
            ask(one, tmp_path, TRAINING)
    one.kill_at = None
    one.outside_start("omni")
    orphan, watcher = os.open(children_lock(tmp_path), os.O_RDWR | os.O_CREAT), Nobody()
    fcntl.flock(orphan, fcntl.LOCK_SH)
    assert stop(SimulatedSession(one, tmp_path), watcher).mode == "idle"
    os.close(orphan)
    one.sleep(5)
    assert one.running() == {}
    left = f"a command that a killed switch left behind still runs: process {os.getpid()}; it may start something again"
    assert left in watcher.warnings


def stop(session: SimulatedSession, watcher: Nobody) -> Report:
    return Transaction(session, SwitchOptions(yes=True), watcher, None).switch(STOP)


def test_a_stop_goes_on_without_journal_and_lock_with_a_warning_for_each(tmp_path: Path) -> None:
    one, watcher = machine(), Nobody()
    ask(one, tmp_path, XTTS)
    assert stop(BrokenSession(one, tmp_path), watcher).mode == "idle"
    assert one.running() == {}
    said = "\n".join(watcher.warnings)
    assert "No such file or directory; this stops what runs, and cannot keep a switch from starting it again" in said
    assert "lab.journal: Permission denied; what runs is stopped all the same, by its labels" in said
    assert "the journal cannot be written: lab.journal: Read-only file system; what runs is stopped all the same" in said


def test_any_other_request_is_refused_without_journal_and_lock(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, XTTS)
    with pytest.raises(ConfigurationError):
        Transaction(BrokenSession(one, tmp_path), SwitchOptions(yes=True), Nobody(), None).switch(TRAINING)


def test_a_stop_needs_no_rules(tmp_path: Path) -> None:
    one, watcher = machine(), Nobody()
    ask(one, tmp_path, XTTS)
    session = SimulatedSession(one, tmp_path)
    session.rules = NO_RULES
    assert stop(session, watcher).outcome == "applied"
    assert one.running() == {}
