"""Services that start side by side: whatever fails or is killed in their middle, the promises hold as for one alone."""

import signal
from collections.abc import Callable
from functools import cache
from itertools import islice, product
from pathlib import Path

import pytest

from spark_mode.errors import EngineUnavailable, Interrupted, SwitchFailed
from spark_mode.journal.journal import journal_state
from spark_mode.lab.project import Project
from spark_mode.lab.service import Dependency
from spark_mode.lab.size import GB
from spark_mode.lab.workload import Footprint, Workload
from spark_mode.planning.container import Container
from spark_mode.planning.plan import Start
from spark_mode.planning.request import ModeRequest, Request, StopRequest, UpRequest
from spark_mode.switching.side_by_side import AT_ONCE
from tests.deep import DEEP
from tests.in_memory import folder_in_memory
from tests.nobody import Nobody
from tests.simulation.lab import PROJECT, RULES, ask, service
from tests.simulation.machine import SimulatedMachine
from tests.simulation.test_crashes import killed, recovered, require_settled

OMNI, TRAINING = ModeRequest(mode="audio", profile="omni"), ModeRequest(mode="training")
PLAIN = tuple(f"plain{number}" for number in range(AT_ONCE + 2))
HELPERS = (*PLAIN, "page", "sidecar", "database", "hooked")
EACH_KIND = HELPERS if DEEP else (*PLAIN[:2], PLAIN[-1], *HELPERS[-4:])
"""One that others need, one that is started again, one that is like all others, and those that have something of their own."""
APART = 1 if DEEP else 5
"""Of the kills of a switch of many, whose effects are mostly alike: each of how many is tried."""
LAB = Project(
    name="lab",
    services={
        **PROJECT.services,
        "omni": service("omni", "omni", pre_stop=True, depends_on={"plain0": Dependency()}),
        **{name: service(name, "omni", healthcheck=None) for name in PLAIN},
        "page": service("page", "omni", healthcheck=None, depends_on={"database": Dependency(condition="service_healthy")}),
        "sidecar": service("sidecar", "omni", healthcheck=None, shares=("plain0",)),
        "database": service("database", "omni"),
        "hooked": service("hooked", "omni", healthcheck=None, start_by_compose=True),
    },
)
TINY = {name: Workload.model_validate({"name": name, "class": "audio", "service": name, "footprint": "50MB"}) for name in PLAIN}
SMALL = RULES.model_copy(update={"default_footprint": Footprint.model_validate("10MB"), "workloads": {**RULES.workloads, **TINY}})
"""Some helpers are described, as speech that takes next to nothing, the others are not: no rule speaks of them."""


def machine(former: Request) -> SimulatedMachine:
    """Return a machine in a mode; some of the helpers are started again by the engine when they end."""
    return _machine(former).fork()


@cache
def _machine(former: Request) -> SimulatedMachine:
    one = SimulatedMachine(LAB, SMALL, 128 * GB)
    one.policies = {"plain1": "always", "database": "unless-stopped", "page": "on-failure"}
    with folder_in_memory() as folder:
        ask(one, folder, former)
    return one


@cache
def acts_to_omni() -> tuple[str, ...]:
    """Return what is done from training to the mode with many helpers."""
    trial = machine(TRAINING)
    with folder_in_memory() as folder:
        ask(trial, folder, OMNI)
    return tuple(trial.acts)


def mode(request: Request) -> dict[str, str | None]:
    """Return what runs in a mode."""
    return machine(request).running()


def starts(one: SimulatedMachine, since: int = 0) -> list[str]:
    """Return what was started, in order."""
    return [act.split()[1] for act in one.acts[since:] if act.startswith(("start ", "up "))]


def test_helpers_start_together_as_their_dependencies_allow_and_settle_in_one_window(tmp_path: Path) -> None:
    one = machine(TRAINING)
    since, begun = len(one.acts), one.time
    report = ask(one, tmp_path, OMNI)
    assert set(one.running()) == {"omni", *HELPERS}
    order = starts(one, since)
    assert set(order) == {"omni", *HELPERS}
    assert order.index("database") < order.index("page")
    assert order.index("plain0") < order.index("sidecar")
    together = [step for step in report.steps if isinstance(step, Start) and step.side_by_side]
    assert {step.service for step in together} == set(HELPERS)
    assert one.time - begun < len(HELPERS) * 0.3, "they settle one after another"


def test_the_look_that_finds_the_last_helper_settled_is_the_last_one(tmp_path: Path) -> None:
    one, looks = machine(OMNI), list[tuple[float, int]]()
    for name in PLAIN[:3]:
        one.outside_stop(name)
    containers, since = one.containers, len(one.acts)

    def looked(project: str) -> tuple[Container, ...]:
        looks.append((one.time, len(starts(one, since))))
        return containers(project)

    one.containers = looked  # type: ignore[method-assign]  # somebody who counts
    ask(one, tmp_path, UpRequest(names=PLAIN[:3]))
    after = [at for at, started in looks if started == 3]
    assert after == sorted({*after, one.time}), "no second look at the same moment, and none after it"


def test_a_helper_whose_dependency_is_not_ready_is_not_started(tmp_path: Path) -> None:
    one = machine(TRAINING)
    one.sick.add("database")
    since = len(one.acts)
    with pytest.raises(SwitchFailed, match="database did not start: its health check fails"):
        ask(one, tmp_path, OMNI)
    assert "page" not in starts(one, since)
    assert set(one.running()) == {"training"}


FAILS = [*product(EACH_KIND, ("crash", "compose"))]
"""Each kind, and how it fails: `make test` takes the two ways in turn."""


@pytest.mark.parametrize(("helper", "fault"), FAILS if DEEP else [one for at, one in enumerate(FAILS) if at % 4 in (0, 3)])
def test_what_ran_before_runs_again_whichever_of_them_fails(helper: str, fault: str, tmp_path: Path) -> None:
    one = machine(TRAINING)
    one.fail_at, one.fault = (
        next(index for index, act in enumerate(acts_to_omni()) if act in (f"start {helper}", f"up {helper}")),
        fault,
    )
    with pytest.raises(SwitchFailed, match=f"{helper} did not start"):
        ask(one, tmp_path, OMNI)
    assert set(one.running()) == {"training"}
    assert one.wrongs == []


def test_an_engine_that_goes_away_in_the_middle_leaves_a_switch_to_recover(tmp_path: Path) -> None:
    one = machine(TRAINING)
    one.fail_at, one.fault = acts_to_omni().index("start plain3"), "engine"
    with pytest.raises(EngineUnavailable, match="the simulated engine does not answer"):
        ask(one, tmp_path, OMNI)
    one.engine_answers = True
    recovered(one, tmp_path)
    require_settled(one, tmp_path, [mode(TRAINING), mode(OMNI)])


@pytest.mark.parametrize(("former", "request_"), [(TRAINING, OMNI), (OMNI, StopRequest())], ids=str)
def test_one_recovery_settles_the_lab_whenever_a_switch_of_many_was_killed(
    former: Request, request_: Request, tmp_path: Path
) -> None:
    start = machine(former)
    legal = [mode(former), {} if isinstance(request_, StopRequest) else mode(request_)]
    runs = 0
    for one in islice(killed(start, tmp_path, request_), 0, None, APART):
        runs += 1
        recovered(one, tmp_path)
        require_settled(one, tmp_path, legal, request_)
    assert runs * APART > len(HELPERS)


def test_a_recovery_that_is_killed_while_many_start_is_finished_by_the_next(tmp_path: Path) -> None:
    start = machine(TRAINING)
    legal = [mode(TRAINING), mode(OMNI)]
    cut_off = next(one for one in killed(start, tmp_path, OMNI) if "plain2" in one.running())
    for one in islice(killed(cut_off, tmp_path, None), 0, None, APART):
        recovered(one, tmp_path)
        require_settled(one, tmp_path, legal)


def test_all_that_may_have_been_started_is_known_after_a_kill_at_the_first_start(tmp_path: Path) -> None:
    start = machine(TRAINING)
    one = next(one for one in killed(start, tmp_path, OMNI) if set(one.running()) & set(HELPERS))
    cut_off = journal_state(one.journal.records()).unfinished
    assert cut_off is not None
    assert cut_off.starts >= set(HELPERS)
    assert cut_off.ready == ()


def test_no_more_of_them_start_once_the_other_side_is_seen(tmp_path: Path) -> None:
    """The other side comes up after the first of them: what comes after the next look is not started."""
    one = machine(TRAINING)
    since = len(one.acts)
    _after(one, AT_ONCE, lambda: one.outside_start("training"))
    with pytest.raises(SwitchFailed, match="training runs alone"):
        ask(one, tmp_path, OMNI)
    assert len(set(starts(one, since)) & set(HELPERS)) == AT_ONCE
    assert one.wrongs == []
    assert set(one.running()) == {"training"}


@pytest.mark.usefixtures("in_the_foreground")
def test_a_signal_while_many_start_brings_back_what_ran_before(tmp_path: Path) -> None:
    one = machine(TRAINING)
    _after(one, 1, lambda: signal.raise_signal(signal.SIGINT))
    since = len(one.acts)
    with pytest.raises(Interrupted, match="What ran before runs again: training"):
        ask(one, tmp_path, OMNI)
    assert len(set(starts(one, since)) & set(HELPERS)) == AT_ONCE
    assert set(one.running()) == {"training"}


def test_a_helper_that_crashes_while_others_load_is_seen_in_the_end(tmp_path: Path) -> None:
    one = machine(TRAINING)
    _after(one, len(HELPERS) + 1, lambda: one.die("plain1", 1))
    with pytest.raises(SwitchFailed, match="plain1 did not start: it crashed and restarts"):
        ask(one, tmp_path, OMNI)
    assert set(one.running()) == {"training"}


def test_each_stops_after_what_depends_on_it(tmp_path: Path) -> None:
    one = machine(OMNI)
    since = len(one.acts)
    ask(one, tmp_path, StopRequest())
    stopped = [act.split()[1].rpartition("-")[0] for act in one.acts[since:] if act.startswith("stop ")]
    assert stopped.index("page") < stopped.index("database")
    assert stopped.index("sidecar") < stopped.index("plain0")
    assert one.running() == {}


def test_only_those_that_began_are_said_to_have_begun(tmp_path: Path) -> None:
    one, reader = machine(TRAINING), Nobody()
    _after(one, AT_ONCE, lambda: one.outside_start("training"))
    since = len(one.acts)
    with pytest.raises(SwitchFailed, match="training runs alone"):
        ask(one, tmp_path, OMNI, reader)
    began = [line.removeprefix("start ") for line in reader.begun if line.startswith("start ")]
    assert [name for name in began if name in HELPERS] == [name for name in starts(one, since) if name in HELPERS]


def _after(one: SimulatedMachine, count: int, act: Callable[[], None]) -> None:
    """Have something happen right after spark-mode has started so many containers."""
    started, left = one.started_by_us, [count]

    def seen(container: object) -> None:
        started(container)  # type: ignore[arg-type]  # it is passed on
        left[0] -= 1
        if left[0] == 0:
            act()

    one.started_by_us = seen  # type: ignore[method-assign]  # somebody beside the switch
