"""When a started service is ready, and when it has failed."""

import itertools
import socket

import pytest

from spark_mode.engine.answers import is_checked
from spark_mode.engine.events import EventStream
from spark_mode.engine.machine import SystemClock
from spark_mode.planning.container import Container
from spark_mode.planning.side_by_side import SETTLE_SECONDS
from spark_mode.switching.readiness import await_ready, judge
from tests.clock import PassingClock

RUNNING = Container(id="a", name="a", state="running", started_at="1", health="none")


def seen(**fields: object) -> Container:
    return RUNNING.model_copy(update=fields)


@pytest.mark.parametrize(
    ("container", "completes", "seconds", "verdict"),
    [
        (seen(health="healthy"), False, 0, "ready"),
        (seen(health="starting"), False, 500, "starting"),
        (seen(health="unhealthy"), False, 0, "failed"),
        (seen(), False, SETTLE_SECONDS - 0.1, "starting"),
        (seen(), False, SETTLE_SECONDS, "ready"),
        (seen(restart_count=1), False, 60, "failed"),
        (seen(started_at="2"), False, 60, "failed"),
        (seen(state="restarting"), False, 0, "failed"),
        (seen(state="paused"), False, 0, "failed"),
        (seen(state="exited", exit_code=0), False, 0, "failed"),
        (seen(state="exited", exit_code=0), True, 0, "ready"),
        (seen(state="exited", exit_code=1), True, 0, "failed"),
        (seen(state="dead", exit_code=0), True, 0, "failed"),
        (None, True, 0, "failed"),
    ],
)
def test_a_started_service_is_judged_by_what_is_seen(
    container: Container | None, completes: bool, seconds: float, verdict: str
) -> None:
    assert judge(container, RUNNING, completes, seconds).verdict == verdict


def test_what_others_wait_for_to_complete_is_not_ready_while_it_runs() -> None:
    for health in ("none", "healthy"):
        assert judge(seen(health=health), RUNNING, True, SETTLE_SECONDS, awaited=True).verdict == "starting"
    assert judge(seen(state="exited", exit_code=0), RUNNING, True, 0, awaited=True).verdict == "ready"
    assert judge(seen(state="exited", exit_code=1), RUNNING, True, 0, awaited=True).verdict == "failed"


def test_a_restart_is_a_failure_however_much_of_it_was_seen_first() -> None:
    """The engine counts it while the container still has its earlier start time."""
    counted, started = seen(restart_count=1), seen(restart_count=1, started_at="2")
    for first, now in ((RUNNING, counted), (RUNNING, started), (counted, started)):
        assert judge(now, first, completes=False, seconds=60).verdict == "failed"


@pytest.mark.parametrize("state", ["exited", "restarting"])
def test_what_the_kernel_killed_for_want_of_memory_is_said_to_be_so(state: str) -> None:
    killed = seen(state=state, exit_code=137, oom_killed=True)
    assert "code 137, killed by the kernel for want of memory" in judge(killed, RUNNING, True, 1).reason
    assert "memory" not in judge(seen(state=state, exit_code=137), RUNNING, True, 1).reason


def test_a_service_that_never_gets_ready_fails_at_its_bound_and_says_it() -> None:
    clock = Clock()
    ticks: list[float] = []
    end = await_ready(
        lambda: seen(health="starting"), RUNNING, False, False, 5, clock, clock, lambda waited, _: ticks.append(waited)
    )
    assert end == ("failed", "it was not ready within 5 s")
    assert max(later - sooner for sooner, later in itertools.pairwise(ticks)) <= 0.25


def test_a_wait_goes_on_when_the_stream_of_events_has_broken_off() -> None:
    ours, engines = socket.socketpair()
    with ours:
        engines.close()
        stream = EventStream(ours)
        stream.wait(1)
        assert stream.ended
        looks = iter([seen(health="starting"), seen(health="starting"), seen(health="healthy")])
        end = await_ready(lambda: next(looks), RUNNING, False, False, 5, SystemClock(), stream, lambda *_: None)
    assert end.verdict == "ready"


class Clock(PassingClock):
    """It is also a stream of events that tells of something whenever it is waited for."""

    ended = False

    def wait(self, seconds: float) -> bool:
        self.time += seconds
        return True


@pytest.mark.parametrize(
    ("check", "checked"),
    [({"Test": ["CMD", "true"]}, True), ({"Test": ["NONE"]}, False), ({"Test": None}, False), ({}, False), (None, False)],
)
def test_an_image_has_a_health_check_unless_it_takes_away_that_of_its_base(check: object, checked: bool) -> None:
    assert is_checked({"Config": {"Healthcheck": check}}) == checked
