"""What recovery decides, what holds refuse, and what a restart policy is owed: on the simulated machine."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from spark_mode.errors import ConfigurationError, Interrupted, LockBusy, NeedsAttention, Refused, SwitchFailed, UsageFault
from spark_mode.journal.journal import journal_state
from spark_mode.journal.records import StepEnded
from spark_mode.lab.project import Project
from spark_mode.planning.container import LEASED
from spark_mode.planning.request import ModeRequest, Request, RestoreRequest, StopRequest, UpRequest
from spark_mode.planning.steps import READY_SECONDS
from spark_mode.reporting.history import history
from spark_mode.sharing.leases import Lease
from spark_mode.sharing.lock import switch_lock
from spark_mode.sharing.process import process_began
from spark_mode.switching.aftermath import QUIET_DEADLINE_SECONDS, QUIET_SECONDS
from spark_mode.switching.holding import release_holds
from spark_mode.switching.report import SwitchOptions
from spark_mode.switching.transaction import Transaction
from tests.nobody import Nobody
from tests.simulation.engine import Killed
from tests.simulation.lab import SimulatedSession, ask, machine, recover
from tests.simulation.machine import SimulatedMachine

OMNI, XTTS, TRAINING = (
    ModeRequest(mode="audio", profile="omni"),
    ModeRequest(mode="audio", profile="xtts"),
    ModeRequest(mode="training"),
)
RESTORE, STOP = RestoreRequest(), StopRequest()


def cut_off(folder: Path, former: Request, request: Request, act: str, **options: bool) -> SimulatedMachine:
    """Return a machine on which a switch was killed just after an act."""
    one = machine()
    ask(one, folder, former)
    trial = one.fork()
    while act not in trial.acts:
        trial = one.fork()
        one.kill_at = (one.kill_at[0] + 1 if one.kill_at else one.effects, "after")
        trial.kill_at = one.kill_at
        with pytest.raises(Killed):
            ask(trial, folder, request, **options)
    trial.kill_at = None
    return trial


def test_a_switch_that_had_begun_to_stop_is_finished(tmp_path: Path) -> None:
    one = cut_off(tmp_path, OMNI, TRAINING, "compose stop omni")
    report = recover(one, tmp_path)
    assert (report.outcome, report.mode, report.note) == ("recovered", "training", "it was finished")
    assert [event.outcome for event in history(SimulatedSession(one, tmp_path))] == ["applied", "recovered"]


class Impatient(Nobody):
    """Presses Ctrl-C when it hears of the recovery."""

    def recovering(self, what: str) -> None:
        raise KeyboardInterrupt(what)


@pytest.mark.parametrize("request_", [XTTS, None], ids=["before a switch", "asked for"])
def test_whoever_interrupts_a_recovery_is_told_what_is_still_unfinished(request_: Request | None, tmp_path: Path) -> None:
    one = cut_off(tmp_path, OMNI, TRAINING, "compose stop omni")
    transaction = Transaction(SimulatedSession(one, tmp_path), SwitchOptions(yes=True), Impatient(), None)
    with pytest.raises(Interrupted, match="interrupted, and still unfinished: training") as told:
        transaction.switch(request_) if request_ else transaction.recover()
    assert "spark-mode recover" in (told.value.hint or "")
    assert recover(one, tmp_path).outcome == "recovered"


def test_a_switch_that_had_only_created_touched_nothing(tmp_path: Path) -> None:
    one = cut_off(tmp_path, OMNI, TRAINING, "create training")
    report = recover(one, tmp_path)
    assert (report.mode, report.note) == ("audio omni", "nothing had been stopped or started")


def test_restore_after_a_crash_brings_back_what_ran_before_it(tmp_path: Path) -> None:
    one = cut_off(tmp_path, OMNI, TRAINING, "start training")
    assert ask(one, tmp_path, RESTORE).mode == "audio omni"
    assert one.running() == {"omni": None}


def test_what_the_files_did_not_have_during_a_recovery_comes_back_when_they_have_it_again(tmp_path: Path) -> None:
    """While they do not, `restore` says so, and stops nothing."""
    one = cut_off(tmp_path, OMNI, TRAINING, "compose stop omni")
    whole, one.project = one.project, without(one, "omni")
    assert recover(one, tmp_path).note == "it was finished"
    assert one.running() == {"training": None}
    with pytest.raises(ConfigurationError, match="what ran before is no longer in the Compose files: omni") as refused:
        ask(one, tmp_path, RESTORE)
    assert refused.value.hint == "put it back there, or ask for a mode: audio, training"
    assert one.running() == {"training": None}
    one.project = whole
    assert ask(one, tmp_path, RESTORE).mode == "audio omni"


def without(one: SimulatedMachine, name: str) -> Project:
    """Return the project without a service."""
    services = {other: service for other, service in one.project.services.items() if other != name}
    return one.project.model_copy(update={"services": services})


def test_stop_after_a_crash_stops_and_starts_nothing(tmp_path: Path) -> None:
    one = cut_off(tmp_path, OMNI, TRAINING, "start training")
    acts = len(one.acts)
    assert ask(one, tmp_path, STOP).mode == "idle"
    assert not [act for act in one.acts[acts:] if act.startswith(("up ", "start "))]
    assert journal_state(one.journal.records()).unfinished is None


def test_a_recovery_goes_back_when_finishing_is_refused_now(tmp_path: Path) -> None:
    one = cut_off(tmp_path, OMNI, TRAINING, "compose stop omni")
    one.taken = one.total - one.rules.limits.floor - 10 * 10**9
    report = recover(one, tmp_path)
    assert report.mode == "audio omni"
    assert "What ran before runs again: omni" in (report.note or "")


def test_a_recovery_never_stops_a_training_that_nobody_agreed_to_stop(tmp_path: Path) -> None:
    one = cut_off(tmp_path, XTTS, OMNI, "compose stop xtts")
    one.put("training", "exited")
    for name in ("whisper", "ollama"):
        one.outside_stop(name)
    one.outside_start("training")
    with pytest.raises(NeedsAttention, match="Now it is training, and nothing more is tried") as failed:
        recover(one, tmp_path)
    assert "training became active meanwhile" in failed.value.message
    assert failed.value.hint == "bring back what ran before, when it can run: spark-mode restore"
    assert one.running() == {"training": None}
    assert recover(one, tmp_path).outcome == "unchanged"
    assert ask(one, tmp_path, RESTORE).mode == "audio xtts"


def test_a_switch_that_fails_where_both_sides_ran_leaves_one_side_and_nothing_to_recover(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, ModeRequest(mode="audio", profile="chatterbox"))
    one.put("training", "created")
    one.outside_start("training")
    one.sick.add("xtts")
    with pytest.raises(SwitchFailed):
        ask(one, tmp_path, XTTS)
    assert set(one.running()) == {"training"}
    assert recover(one, tmp_path).outcome == "unchanged"


def test_a_hold_and_what_follows_a_training_are_applied_by_the_recovery_that_finishes_it(tmp_path: Path) -> None:
    one = cut_off(tmp_path, OMNI, TRAINING, "start training", hold=True, then=True)
    report = recover(one, tmp_path)
    assert report.note == (
        "it was finished; when training has ended, a guard brings back what ran before; without one: spark-mode restore"
    )
    known = journal_state(one.journal.records())
    assert [hold.services for hold in known.holds] == [("training",)]
    assert known.restores
    with pytest.raises(Refused, match="training is held"):
        ask(one, tmp_path, OMNI)


def test_what_follows_a_training_that_ended_before_the_recovery_is_not_forgotten(tmp_path: Path) -> None:
    one = cut_off(tmp_path, OMNI, TRAINING, "start training", then=True)
    switch = journal_state(one.journal.records()).unfinished
    assert switch is not None
    one.journal.append(StepEnded(switch=switch.began.switch))
    one.die("training", 0)
    recover(one, tmp_path)
    assert journal_state(one.journal.records()).restores
    assert ask(one, tmp_path, RESTORE).mode == "audio omni"


def test_what_ran_before_a_training_that_others_started_is_not_known_so_nothing_is_to_follow_it(tmp_path: Path) -> None:
    """The last switch stopped a training for omni: to bring back what ran before it would start training again."""
    one = machine()
    ask(one, tmp_path, TRAINING)
    ask(one, tmp_path, OMNI)
    one.outside_stop("omni")
    one.outside_start("training")
    with pytest.raises(UsageFault, match="what ran before training is not known"):
        ask(one, tmp_path, TRAINING, then=True)
    assert not journal_state(one.journal.records()).restores
    assert one.running() == {"training": None}


def test_a_recovery_does_not_wait_for_the_end_of_what_was_started_again_since_its_stop(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, TRAINING)
    one.change(one.of("training").id, stop_seconds=300)  # type: ignore[union-attr]  # it runs
    trial = one.fork()
    ask(trial, tmp_path, OMNI)
    one.fail_at, one.fault = max(index for index, act in enumerate(trial.acts) if act.endswith(" omni")), "crash"
    on_the_way_back = one.fork()
    while on_the_way_back.acts.count("start training") < 2:
        one.kill_at = (one.kill_at[0] + 1 if one.kill_at else one.effects, "after")
        on_the_way_back = one.fork()
        with suppress(Killed):
            ask(on_the_way_back, tmp_path, OMNI)
    on_the_way_back.kill_at = None
    begun = on_the_way_back.time
    assert recover(on_the_way_back, tmp_path).mode == "training"
    assert on_the_way_back.time - begun < 300


def test_a_restore_that_has_nothing_to_do_ends_what_was_to_come_back(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, TRAINING, then=True)
    one.die("training", 0)
    assert journal_state(one.journal.records()).restores
    assert ask(one, tmp_path, RESTORE).outcome == "unchanged"
    assert not journal_state(one.journal.records()).restores


def test_where_neither_way_is_possible_the_next_request_is_judged_by_what_runs(tmp_path: Path) -> None:
    one = cut_off(tmp_path, XTTS, OMNI, "compose stop xtts")
    one.put("training", "exited")
    for name in ("whisper", "ollama"):
        one.outside_stop(name)
    one.outside_start("training")
    assert ask(one, tmp_path, TRAINING).mode == "training"
    assert journal_state(one.journal.records()).unfinished is None


def test_a_training_that_was_ready_and_completed_is_not_run_a_second_time(tmp_path: Path) -> None:
    one = cut_off(tmp_path, OMNI, TRAINING, "start training")
    switch = journal_state(one.journal.records()).unfinished
    assert switch is not None
    one.journal.append(StepEnded(switch=switch.began.switch))
    one.die("training", 0)
    assert recover(one, tmp_path).note == "its training has ended since; nothing more is done"
    assert one.running() == {}


@pytest.mark.parametrize("restless", ["training", "omni"])
def test_somebody_who_restarts_a_container_again_and_again_holds_no_recovery_and_no_stop_up(
    restless: str, tmp_path: Path
) -> None:
    one = cut_off(tmp_path, OMNI, TRAINING, "start training")
    sleep = one.sleep

    def busy(seconds: float) -> None:
        sleep(seconds)
        if (it := one.of(restless)) and it.active:
            one.outside_stop(restless)
        else:
            one.outside_start(restless)

    stopping = one.fork()
    one.sleep = busy  # type: ignore[method-assign]  # somebody who never stops
    begun = one.time
    with suppress(NeedsAttention):
        recover(one, tmp_path)
    assert one.time - begun < QUIET_DEADLINE_SECONDS + READY_SECONDS
    begun = stopping.time
    assert ask(stopping, tmp_path, STOP).mode == "idle"
    assert stopping.time - begun < QUIET_SECONDS


@pytest.mark.parametrize("request_", [TRAINING, OMNI, STOP, RESTORE, StopRequest(names=("whisper",))], ids=str)
def test_what_is_held_is_not_stopped_by_any_request(request_: Request, tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    ask(one, tmp_path, XTTS, hold=True)
    running, acts = one.running(), len(one.acts)
    with pytest.raises(Refused, match=r"is held: .* holds audio xtts since 20") as refused:
        ask(one, tmp_path, request_)
    assert "spark-mode release" in (refused.value.hint or "")
    assert (one.running(), len(one.acts)) == (running, acts)


def test_a_hold_allows_what_stops_nothing_of_it_and_ends_with_its_containers(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, XTTS, hold=True)
    assert ask(one, tmp_path, XTTS).outcome == "unchanged"
    for name in ("xtts", "whisper", "ollama"):
        one.outside_stop(name)
    assert ask(one, tmp_path, TRAINING).mode == "training"
    assert journal_state(one.journal.records()).holds == ()


def test_a_variant_of_a_held_training_is_not_changed(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, TRAINING, hold=True)
    with pytest.raises(Refused, match="training is held"):
        ask(one, tmp_path, ModeRequest(mode="training", variant="large"))


def test_a_held_training_is_not_given_up_for_memory_and_a_held_model_neither(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    ask(one, tmp_path, UpRequest(names=("devstral",)), hold=True)
    with pytest.raises(Refused, match="devstral"):
        ask(one, tmp_path, UpRequest(names=("coder32b",)))
    assert set(one.running()) == {"omni", "ollama"}


def test_restart_policies_are_taken_by_stops_and_given_back_once_started_and_verified(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, XTTS)
    ask(one, tmp_path, TRAINING)
    assert {name: container.restart_policy for name in ("xtts", "whisper", "ollama") if (container := one.of(name))} == {
        "xtts": "no",
        "whisper": "no",
        "ollama": "no",
    }
    one.restart()
    assert set(one.running()) <= {"training"}
    ask(one, tmp_path, XTTS)
    assert {name: container.restart_policy for name in ("xtts", "whisper", "ollama") if (container := one.of(name))} == {
        "xtts": "always",
        "whisper": "on-failure",
        "ollama": "unless-stopped",
    }
    assert journal_state(one.journal.records()).policies == {}


def test_the_policy_of_a_start_that_failed_is_taken_too(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, TRAINING)
    one.sick.add("xtts")
    with pytest.raises(SwitchFailed):
        ask(one, tmp_path, XTTS)
    assert (container := one.of("xtts")) and container.restart_policy == "no"
    one.restart()
    assert "xtts" not in one.running()


def test_files_that_changed_while_a_request_waited_have_the_plan_made_again(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    session, watcher = SimulatedSession(one, tmp_path), Nobody()
    services = dict(one.project.services)
    services["omni"] = services["omni"].model_copy(update={"config_hash": "another"})
    transaction = Transaction(session, SwitchOptions(yes=True), watcher, None)
    one.project = one.project.model_copy(update={"services": services})
    report = transaction.switch(OMNI)
    assert report.outcome == "unchanged"
    assert any("changed meanwhile, so the plan is made again" in warning for warning in watcher.warnings)
    assert any("runs with an earlier definition" in warning for warning in report.warnings)


def test_a_restore_that_follows_a_training_does_nothing_when_another_switch_came_after_it(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    ask(one, tmp_path, TRAINING)
    followed = journal_state(one.journal.records()).last_change
    ask(one, tmp_path, STOP)
    with pytest.raises(Refused, match="another switch came after it"):
        Transaction(SimulatedSession(one, tmp_path), SwitchOptions(yes=True, only_after=followed), Nobody(), None).switch(RESTORE)
    assert one.running() == {}


def test_a_create_never_replaces_what_somebody_started_meanwhile(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, ModeRequest(mode="training", variant="large"))
    ask(one, tmp_path, OMNI)
    one.before_write[len(one.lines)] = lambda engine: engine.outside_start("training")
    with pytest.raises(SwitchFailed, match="training was started by somebody meanwhile"):
        ask(one, tmp_path, TRAINING)
    assert one.wrongs == []
    assert "training" in one.running()


def test_a_refusal_is_in_the_history_with_its_reason(tmp_path: Path) -> None:
    one = machine()
    with pytest.raises(Refused):
        ask(one, tmp_path, UpRequest(names=("omni", "xtts")))
    (event,) = history(SimulatedSession(one, tmp_path))
    assert event.outcome == "refused"
    assert event.note


def test_a_journal_that_cannot_be_written_refuses_before_anything_is_touched(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    acts = len(one.acts)
    one.disk_full_at = 0
    with pytest.raises(ConfigurationError, match="nothing was touched"):
        ask(one, tmp_path, TRAINING)
    assert len(one.acts) == acts


def damaged(one: SimulatedMachine, what: bytes) -> None:
    """Have a bit flip on the disk, in the first line that says something."""
    assert what in one.files["lab.journal"]
    flipped = bytes([what[0] ^ 1]) + what[1:]
    one.files["lab.journal"] = one.files["lab.journal"].replace(what, flipped, 1)


@pytest.mark.parametrize("what", [b'"kind":"began"', b'"kind":"ended"', b'"kind":"policy"'], ids=["began", "ended", "policy"])
def test_a_record_that_is_not_understood_needs_recover_before_anything_is_switched(tmp_path: Path, what: bytes) -> None:
    one = machine()
    ask(one, tmp_path, XTTS)
    ask(one, tmp_path, TRAINING)
    damaged(one, what)
    acts = len(one.acts)
    with pytest.raises(NeedsAttention, match="1 record that this release does not understand") as needed:
        ask(one, tmp_path, OMNI)
    assert "spark-mode recover" in (needed.value.hint or "")
    with pytest.raises(NeedsAttention):
        SimulatedSession(one, tmp_path).plan(OMNI)
    assert (one.running(), len(one.acts)) == ({"training": None}, acts)
    assert recover(one, tmp_path).outcome == "recovered"
    assert recover(one, tmp_path).outcome == "unchanged"
    assert ask(one, tmp_path, OMNI).mode == "audio omni"


def test_nothing_is_released_or_restored_while_a_record_is_not_understood(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, XTTS, hold=True)
    damaged(one, b'"kind":"held"')
    written = one.files["lab.journal"]
    with pytest.raises(NeedsAttention, match="1 record that this release does not understand"):
        release_holds(SimulatedSession(one, tmp_path), Nobody())
    damaged(one, b'"kind":"ended"')
    with pytest.raises(NeedsAttention, match="2 records that this release does not understand"):
        SimulatedSession(one, tmp_path).restore_request()
    assert len(one.files["lab.journal"]) == len(written)
    recover(one, tmp_path)
    assert len(release_holds(SimulatedSession(one, tmp_path), Nobody())) == 1


def test_a_record_of_a_newer_release_in_a_switch_that_was_cut_off_counts_no_more_once_that_is_recovered(tmp_path: Path) -> None:
    one = cut_off(tmp_path, OMNI, TRAINING, "compose stop omni")
    damaged(one, b'"kind":"step"')
    report = recover(one, tmp_path)
    assert (report.outcome, report.mode) == ("recovered", "training")
    assert recover(one, tmp_path).outcome == "unchanged"
    assert ask(one, tmp_path, OMNI).outcome == "applied"


def test_everything_can_be_stopped_though_the_journal_is_not_understood(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    damaged(one, b'"kind":"began"')
    assert ask(one, tmp_path, STOP).mode == "idle"
    assert one.running() == {}


def test_the_same_refusal_is_written_once_until_something_was_switched(tmp_path: Path) -> None:
    one, both = machine(), UpRequest(names=("omni", "xtts"))

    def refused(request: Request, times: int) -> None:
        for _ in range(times):
            with pytest.raises(Refused):
                ask(one, tmp_path, request)

    refused(both, 5)
    refused(UpRequest(names=("omni", "qwen")), 2)
    refused(both, 3)
    assert [event.outcome for event in history(SimulatedSession(one, tmp_path))] == ["refused", "refused"]
    ask(one, tmp_path, OMNI)
    refused(both, 2)
    assert [event.outcome for event in history(SimulatedSession(one, tmp_path))] == ["refused", "refused", "applied", "refused"]


def test_nothing_is_owed_to_a_container_that_is_gone(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    ask(one, tmp_path, TRAINING)
    (owed,) = journal_state(one.journal.records()).policies.values()
    one.outside_remove("omni")
    ask(one, tmp_path, XTTS)
    assert owed.container not in journal_state(one.journal.records()).policies


def test_a_release_while_a_switch_runs_is_refused_and_one_after_it_is_not_undone(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, XTTS, hold=True)
    session = SimulatedSession(one, tmp_path)
    with (
        switch_lock(tmp_path, "up whisper", 0.0, Nobody().waiting, one),
        pytest.raises(LockBusy, match="up whisper"),
    ):
        release_holds(session, Nobody())
    assert journal_state(one.journal.records()).holds
    (released,) = release_holds(session, Nobody())
    assert "holds audio xtts" in str(released)
    assert journal_state(one.journal.records()).holds == ()


@pytest.mark.parametrize("jump", [-100_000.0, 0.0, 100_000.0])
def test_a_lease_counts_until_its_service_has_started_wherever_the_clock_jumps(tmp_path: Path, jump: float) -> None:
    one = machine()
    one.sleep(200_000.0)
    for service in ("whisper", "omni"):
        one.put(service, "created")
    one.outside_start("omni")
    one.outside_stop("omni")
    session = SimulatedSession(one, tmp_path)
    began = process_began(os.getpid())
    assert began is not None
    session.leases.add(Lease.give("omni", "lab", os.getpid(), began, "ann", one.containers("lab")))
    one.wall = jump
    one.outside_start("whisper")
    assert [lease.service for lease in session.observe().containers if lease.state == LEASED] == ["omni"]
    with pytest.raises(Refused, match="omni is about to start"):
        ask(one, tmp_path, TRAINING)
    one.sleep(1.0)
    one.outside_start("omni")
    assert not [lease for lease in session.observe().containers if lease.state == LEASED]
    assert not session.observe().held


@pytest.mark.parametrize("scopes", [("machine", "project"), ("project", "machine")])
def test_what_is_about_to_start_is_seen_after_the_scope_of_the_rules_changed(tmp_path: Path, scopes: tuple[str, str]) -> None:
    one = machine()
    began = process_began(os.getpid())
    assert began is not None
    one.rules = one.rules.model_copy(update={"scope": scopes[0]})
    SimulatedSession(one, tmp_path).leases.add(Lease.give("omni", "lab", os.getpid(), began, "ann", ()))
    one.rules = one.rules.model_copy(update={"scope": scopes[1]})
    with pytest.raises(Refused, match="omni is about to start"):
        ask(one, tmp_path, TRAINING)


def test_a_start_that_comes_after_a_stop_which_waited_for_nothing_is_stopped_too(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    index = one.effects
    while True:
        trial = one.fork()
        trial.kill_at = (index, "late")
        with pytest.raises(Killed):
            ask(trial, tmp_path, TRAINING)
        if "start training" in trial.acts:
            break
        index += 1
    trial.kill_at = None
    assert trial.running() == {}
    ask(trial, tmp_path, STOP)
    trial.sleep(5)
    assert trial.running() == {}
