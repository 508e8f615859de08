"""Two sides that somebody starts together while a switch holds the lock are ended by it, by the guard's policy."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from spark_mode.errors import ConfigurationError, Interrupted, NeedsAttention, Refused, SparkModeError, SwitchFailed
from spark_mode.lab.rules import AtMost, GuardPolicy
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import ForeignContainer
from spark_mode.planning.plan import StoppedTraining
from spark_mode.planning.request import ModeRequest, Request, UpRequest
from spark_mode.reporting.history import history
from spark_mode.sharing.lock import is_acting, is_switching, user_name
from spark_mode.switching.report import SwitchOptions
from spark_mode.switching.transaction import Transaction
from tests.nobody import Nobody
from tests.simulation.engine import Killed
from tests.simulation.lab import SimulatedSession, Waits, ask, machine, recover
from tests.simulation.machine import SimulatedMachine

OMNI, XTTS, TRAINING = (
    ModeRequest(mode="audio", profile="omni"),
    ModeRequest(mode="audio", profile="xtts"),
    ModeRequest(mode="training"),
)
LARGE = ModeRequest(mode="training", variant="large")


def after_start(one: SimulatedMachine, service: str, act: Callable[[], None]) -> None:
    """Have somebody act 0.2 s after a switch has started a service."""
    started = one.started_by_us
    sleep = one.sleep
    due: list[float] = []

    def seen(container: object) -> None:
        started(container)  # type: ignore[arg-type]  # it is passed on
        if getattr(container, "service", None) == service:
            due.append(one.time + 0.2)

    def slept(seconds: float) -> None:
        sleep(seconds)
        if due and one.time >= due[0]:
            due.clear()
            act()

    one.started_by_us, one.sleep = seen, slept  # type: ignore[method-assign]  # somebody beside the switch


def test_what_is_started_beside_a_training_that_starts_is_stopped_and_the_switch_goes_on(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    after_start(one, "training", lambda: one.outside_start("omni"))
    report = ask(one, tmp_path, TRAINING)
    assert (report.mode, set(one.running())) == ("training", {"training"})
    assert any("omni is stopped at once: training runs, and training runs alone" in said for said in report.warnings)


def test_a_switch_whose_own_start_has_to_go_takes_its_way_back(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, TRAINING)
    after_start(one, "omni", lambda: one.outside_start("training"))
    with pytest.raises(SwitchFailed, match="omni was stopped: training runs"):
        ask(one, tmp_path, OMNI)
    assert set(one.running()) == {"training"}


def test_a_switch_stops_what_it_started_where_others_became_too_many_beside_it(tmp_path: Path) -> None:
    one = machine()
    enough = AtMost(name="enough", because="two are enough", at_most=2, of=("omni", "chatterbox", "xtts"))
    one.rules = one.rules.model_copy(update={"rules": (enough,)})
    after_start(one, "chatterbox", lambda: setattr(one, "foreign", (of_others("omni"), of_others("xtts"))))
    with pytest.raises(SwitchFailed, match="chatterbox was stopped: omni and xtts run, and two are enough"):
        ask(one, tmp_path, ModeRequest(mode="audio", profile="chatterbox"))
    assert "chatterbox" not in one.running()


def of_others(workload: str) -> ForeignContainer:
    container = Container(id=f"their {workload}", name=f"their-{workload}", state="running")
    labels = {"org.spark-mode.workload": workload, "class": "audio"}
    return ForeignContainer(container=container, image="x", labels=labels, project=None)


def test_two_sides_that_run_before_a_switch_are_ended_before_it_plans(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    ask(one, tmp_path, TRAINING)
    one.outside_start("omni")
    acts = len(one.acts)
    report = ask(one, tmp_path, ModeRequest(mode="training", variant="large"))
    assert (report.mode, set(one.running())) == ("training", {"training"})
    assert one.acts[acts:].index("stop omni-1") < next(n for n, act in enumerate(one.acts[acts:]) if "training" in act)


def test_a_recovery_says_that_what_has_to_go_does_not_die(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    one.undying.add("omni")
    one.put("training", "created", id="training-by-hand")
    one.outside_start("training")
    for _ in range(2):
        with pytest.raises(NeedsAttention, match="omni was stopped, and does not die or runs again, though training runs"):
            recover(one, tmp_path)
    one.undying.clear()
    assert (recover(one, tmp_path).mode, set(one.running())) == ("training", {"training"})


def test_a_recovery_without_anything_to_recover_ends_two_sides_too(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    ask(one, tmp_path, TRAINING)
    one.outside_start("omni")
    session = SimulatedSession(one, tmp_path)
    report = Transaction(session, SwitchOptions(), Nobody(), None).recover()
    assert (report.mode, set(one.running())) == ("training", {"training"})


def test_while_what_has_to_go_takes_its_grace_the_guard_may_act(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    after_start(one, "training", lambda: one.outside_start("omni"))
    stop_all, acting = one.stop_all, list[bool]()

    def stopped(graces: Mapping[str, int], after: Mapping[str, Collection[str]] | None = None) -> None:
        acting.append(is_acting(tmp_path, one))
        stop_all(graces, after)
        acting.append(is_acting(tmp_path, one))

    one.stop_all = stopped  # type: ignore[method-assign]  # somebody who looks meanwhile
    ask(one, tmp_path, TRAINING)
    assert acting == [False, False]
    assert not is_switching(tmp_path)


def test_rules_that_say_to_warn_only_are_obeyed_by_a_switch_too(tmp_path: Path) -> None:
    one = machine()
    one.rules = one.rules.model_copy(update={"guard": GuardPolicy(on_violation="warn")})
    ask(one, tmp_path, OMNI)
    after_start(one, "training", lambda: one.outside_start("omni"))
    with pytest.raises(NeedsAttention, match="two sides are active together"):
        ask(one, tmp_path, TRAINING)
    assert set(one.running()) == {"training", "omni"}


WHY = "omni was stopped at once, because training runs, and training runs alone"


def events(one: SimulatedMachine, folder: Path) -> list[tuple[str, str]]:
    """Return the requests of the history and how they ended."""
    return [(event.request, event.outcome) for event in history(SimulatedSession(one, folder))]


def test_what_a_switch_stopped_at_once_is_in_the_history_with_who_did_it_and_why(both: SimulatedMachine, tmp_path: Path) -> None:
    ask(both, tmp_path, LARGE)
    *_, stopped, last = history(SimulatedSession(both, tmp_path))
    assert (stopped.request, stopped.outcome, stopped.by) == ("stop omni", "enforced", user_name())
    assert (stopped.note or "").startswith("training runs, and training runs alone")
    assert last.outcome == "applied"


def test_what_is_started_while_a_switch_waits_and_stopped_by_it_is_in_the_history(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    after_start(one, "training", lambda: one.outside_start("omni"))
    ask(one, tmp_path, TRAINING)
    assert events(one, tmp_path)[1:] == [("stop omni", "enforced"), ("training", "applied")]


def test_what_will_not_die_is_written_down_once_however_often_a_recovery_tries(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    one.kill_at = (one.effects + 3, "after")
    with pytest.raises(Killed):
        ask(one, tmp_path, TRAINING)
    one.kill_at = None
    one.undying.add("omni")
    one.put("training", "created", id="training-by-hand")
    one.outside_start("training")
    with pytest.raises(SparkModeError):
        recover(one, tmp_path)
    assert events(one, tmp_path).count(("stop omni", "warned")) == 1


def test_a_switch_that_fails_before_its_first_effect_names_what_it_stopped_at_once(tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    one.put("xtts", "created")
    one.outside_start("xtts")
    one.fail_at, one.fault = len(one.acts) + 2, "compose"  # its policy is taken, it is stopped, and nothing can be created
    with pytest.raises(SwitchFailed, match="\nNothing else was stopped or started: xtts was stopped at once, because omni runs"):
        ask(one, tmp_path, UpRequest(names=("whisper",)))
    assert events(one, tmp_path)[-2:] == [("stop xtts", "enforced"), ("up whisper", "failed")]
    assert set(one.running()) == {"omni"}


@pytest.mark.parametrize("request_", [UpRequest(names=("xtts",)), XTTS], ids=str)
def test_what_somebody_started_and_a_request_then_asks_for_stays_and_what_it_excludes_goes(
    request_: Request, tmp_path: Path
) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    one.put("xtts", "created")
    one.outside_start("xtts")
    one.acts.clear()
    ask(one, tmp_path, request_)
    assert ("stop omni", "enforced") in events(one, tmp_path)
    assert "xtts" in one.running()
    assert "omni" not in one.running()
    assert not [act for act in one.acts if "xtts" in act]


def test_what_a_rule_spares_goes_only_by_the_plan_whatever_a_request_asks_for(both: SimulatedMachine, tmp_path: Path) -> None:
    ask(both, tmp_path, UpRequest(names=("omni",)))
    assert ("stop omni", "enforced") in events(both, tmp_path)


def test_a_switch_whose_journal_cannot_be_written_names_what_it_stopped_at_once(both: SimulatedMachine, tmp_path: Path) -> None:
    both.disk_full_at = both.effects
    with pytest.raises(ConfigurationError, match=f"cannot be written: .*; nothing else was touched: {WHY}"):
        ask(both, tmp_path, LARGE)


def test_what_nobody_expected_before_the_first_step_names_what_was_stopped_at_once(
    both: SimulatedMachine, tmp_path: Path
) -> None:
    session = SimulatedSession(both, tmp_path)
    networks = both.networks

    def gone(project: str) -> object:
        if "omni" not in both.running():
            raise IndexError("list index out of range")
        return networks(project)

    both.networks = gone  # type: ignore[method-assign,assignment]  # a door that breaks once omni was stopped
    with pytest.raises(SwitchFailed, match=f"Nothing else was stopped or started: {WHY}"):
        Transaction(session, SwitchOptions(yes=True), Nobody(), None).switch(LARGE)


@pytest.mark.parametrize("answer", ["no", "Ctrl-C"])
def test_who_is_asked_after_something_was_stopped_at_once_is_told_so(answer: str, tmp_path: Path) -> None:
    one = machine()
    ask(one, tmp_path, OMNI)
    one.put("training", "created", id="training-by-hand")
    watcher = Waits(tmp_path, lambda: one.outside_start("training"))

    def asked(training: Sequence[StoppedTraining]) -> bool:
        assert training
        if answer == "no":
            return False
        raise Interrupted("interrupted")

    with pytest.raises((Refused, Interrupted), match=f"; nothing else was touched: {WHY}"):
        Transaction(SimulatedSession(one, tmp_path), SwitchOptions(wait_seconds=None), watcher, asked).switch(XTTS)
    assert set(one.running()) == {"training"}


def test_a_request_that_finds_nothing_else_to_do_says_what_it_stopped_at_once(both: SimulatedMachine, tmp_path: Path) -> None:
    again = both.fork()
    assert f"no switch was cut off; {WHY}" in (recover(again, tmp_path).note or "")
    report = ask(both, tmp_path, TRAINING)
    assert report.outcome == "unchanged"
    assert WHY in (report.note or "")


@pytest.mark.parametrize("seconds", [0.05, 0.2, 0.4])
@pytest.mark.parametrize(("first", "then"), [(OMNI, TRAINING), (TRAINING, OMNI), (XTTS, TRAINING), (TRAINING, XTTS)])
def test_no_switch_leaves_two_sides_running_whenever_somebody_starts_the_other(
    first: Request, then: Request, seconds: float, tmp_path: Path
) -> None:
    one = machine()
    ask(one, tmp_path, first)
    ask(one, tmp_path, then)
    ask(one, tmp_path, first)
    begun, sleep, done = one.time, one.sleep, False

    def slept(waited: float) -> None:
        nonlocal done
        sleep(waited)
        if not done and one.time - begun >= seconds:
            done = True
            for service in ("training", "omni", "xtts"):
                one.outside_start(service)

    one.sleep = slept  # type: ignore[method-assign,assignment]  # somebody beside the switch
    with suppress(SparkModeError):
        ask(one, tmp_path, then)
    assert done
    running = set(one.running())
    assert "training" not in running or running == {"training"}
