"""A lease counts as long as the process that asked lives, and until its container was started since."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from spark_mode.errors import ConfigurationError, EngineUnavailable
from spark_mode.planning.container import Container
from spark_mode.sharing.leases import LOCK_SECONDS, PASSING_SECONDS, SETTLE_SECONDS, Lease, Leases
from spark_mode.sharing.process import is_running, process_began
from tests.clock import PassingClock

NEVER = "0001-01-01T00:00:00Z"


def lease(pid: int | None = None, began: int | None = None, beside: Sequence[Container] = ()) -> Lease:
    pid = os.getpid() if pid is None else pid
    given = Lease.give("omni", "lab", pid, began or process_began(pid) or 0, "ann", beside)
    return given.model_copy(update={"at": "now"})


def started(at: str, id: str = "1", service: str = "omni") -> Container:
    state = "created" if at == NEVER else "running"
    return Container(id=id, name=service, service=service, state=state, started_at=at)


@pytest.fixture
def dead() -> Lease:
    """A lease of a process that has ended."""
    with subprocess.Popen(["sleep", "60"]) as process:
        found = lease(process.pid)
        process.kill()
    return found


def test_a_lease_lives_with_its_process(tmp_path: Path, dead: Lease) -> None:
    leases = Leases(tmp_path / "leases.json")
    assert leases.live() == ()
    leases.add(lease())
    assert leases.live() == (lease(),)
    leases.add(dead)
    assert leases.live() == (lease(),)
    assert (tmp_path / "leases.json").stat().st_mode & 0o007 == 0


def test_a_process_that_got_the_same_number_is_another_one() -> None:
    assert lease().is_alive
    assert not lease(began=1).is_alive


def test_a_zombie_starts_nothing_any_more() -> None:
    with subprocess.Popen(["true"]) as process:
        deadline = time.monotonic() + 10
        while process_began(process.pid) is not None:
            assert time.monotonic() < deadline
        assert Path(f"/proc/{process.pid}").exists()


FORMER, HOUR_EARLIER, LATER = "2026-01-01T12:00:00.5Z", "2026-01-01T11:00:00.5Z", "2026-01-01T13:00:00.5Z"


@pytest.mark.parametrize("at", [HOUR_EARLIER, LATER])
@pytest.mark.parametrize("beside", [(), (started(NEVER),), (started(FORMER),)], ids=["none", "created", "ran before"])
def test_a_lease_is_used_by_a_start_that_was_not_there_when_it_was_given_whatever_the_clock_says(
    at: str, beside: tuple[Container, ...]
) -> None:
    given = lease(beside=beside)
    assert not given.is_used(beside)
    assert not given.is_used([])
    assert not given.is_used([*beside, started(NEVER, "2")])
    assert not given.is_used([*beside, started(at, "3", "xtts")])
    assert given.is_used([started(at)])
    assert given.is_used([started(at, "2")])


def test_a_lease_is_no_start_of_its_own_and_a_one_off_is_none_either() -> None:
    given = lease()
    assert not given.is_used([given.as_container(), started(LATER).model_copy(update={"one_off": True})])


def test_the_process_of_somebody_else_that_the_kernel_does_not_show_counts_until_it_has_ended(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert is_running(process.pid, process_began(process.pid) or 0, processes=tmp_path)
        process.kill()
    assert not is_running(process.pid, 1, processes=tmp_path)


def test_what_a_process_that_died_has_just_asked_for_is_waited_for(tmp_path: Path, dead: Lease) -> None:
    leases, clock = Leases(tmp_path / "leases.json"), PassingClock()
    leases.add(dead)
    leases.settle(clock, lambda _: ())
    assert clock.time == SETTLE_SECONDS
    leases.settle(clock, lambda _: ())
    assert clock.time == SETTLE_SECONDS


def test_nothing_is_waited_for_when_it_was_started_or_nobody_died(tmp_path: Path, dead: Lease) -> None:
    leases, clock = Leases(tmp_path / "leases.json"), PassingClock()
    leases.add(lease())
    leases.settle(clock, lambda _: ())
    leases.add(dead.model_copy(update={"service": "xtts"}))
    leases.settle(clock, lambda _: [started(LATER), started(LATER, "2", "xtts")])
    assert clock.time == 0
    assert leases.live() == ()


def test_a_lease_whose_start_was_seen_is_over_though_its_process_stays_and_its_container_is_replaced(tmp_path: Path) -> None:
    leases = Leases(tmp_path / "leases.json")
    leases.add(lease())
    leases.settle(PassingClock(), lambda _: [started(NEVER)])
    assert leases.live() == (lease(),)
    leases.settle(PassingClock(), lambda _: [started(LATER)])
    leases.settle(PassingClock(), lambda _: [started(NEVER, id="2")])
    assert leases.live() == ()


def test_where_two_may_start_a_service_and_one_did_the_other_is_waited_for_as_nobody_can_tell_which(tmp_path: Path) -> None:
    leases, clock = Leases(tmp_path / "leases.json"), PassingClock()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:  # it ends with this
        for one in (lease(), lease(other.pid)):
            leases.add(one)
        leases.settle(clock, lambda _: [started(LATER)])
        assert (leases.live(), clock.time) == ((), 0)
        assert {one.pid for one in leases.passing(clock.now())} == {os.getpid(), other.pid}
        leases.settle(clock, lambda _: [started(LATER)])
        assert leases.passing(PASSING_SECONDS) == (), "once, not each time anew"


def test_where_two_might_have_started_a_service_and_died_what_they_asked_for_last_is_waited_for(tmp_path: Path) -> None:
    leases, clock = Leases(tmp_path / "leases.json"), PassingClock()
    with subprocess.Popen(["sleep", "60"]) as one, subprocess.Popen(["sleep", "60"]) as other:
        for process in (one, other):
            leases.add(lease(process.pid))
        one.kill()
        other.kill()
    leases.settle(clock, lambda _: [started(LATER)])
    assert clock.time == SETTLE_SECONDS


@pytest.mark.parametrize("asked_at", [0.1, 7.729999999999988, 12345.6789])
def test_a_process_is_waited_for_from_the_moment_at_which_it_asked(asked_at: float) -> None:
    given = lease().model_copy(update={"passes_until": asked_at + PASSING_SECONDS})
    assert given.is_passing(asked_at)
    assert not given.is_passing(asked_at + PASSING_SECONDS)
    assert not given.is_passing(asked_at - 1), "the machine has started again since"


def test_two_judgements_wait_for_each_other_and_not_for_ever(tmp_path: Path) -> None:
    one, other, clock = Leases(tmp_path / "leases.json"), Leases(tmp_path / "leases.json"), PassingClock()
    with one.judging(clock), pytest.raises(EngineUnavailable, match="another start is being judged"), other.judging(clock):
        pass
    assert clock.time >= LOCK_SECONDS
    with other.judging(clock):
        pass


@pytest.mark.parametrize("text", ["", "{", "[{}]", "null"])
def test_a_file_that_is_not_ours_is_said_to_be_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "leases.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"leases\.json: is not what was written"):
        Leases(tmp_path / "leases.json").live()


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "leases.json").symlink_to("/etc/passwd")
    with pytest.raises(ConfigurationError):
        Leases(tmp_path / "leases.json").live()


def test_a_lease_of_the_lab_counts_though_its_rules_have_another_scope_by_now(tmp_path: Path, dead: Lease) -> None:
    machines, own = tmp_path / "leases.json", tmp_path / "engine.lab.leases.json"
    for before, now in ((machines, own), (own, machines)):
        of_another = lease().model_copy(update={"project": "another", "passes_until": 5.0})
        for one in (lease(), of_another, lease().model_copy(update={"passes_until": 7.0}), dead):
            Leases(before).add(one)
        leases = Leases(now, before, "lab")
        assert leases.live() == (lease(),)
        assert [one.project for one in leases.passing(0.0)] == ["lab"]
        former = before.read_bytes()
        leases.add(lease().model_copy(update={"service": "xtts"}))
        assert {one.service for one in leases.live()} == {"omni", "xtts"}
        leases.settle(PassingClock(), lambda _: ())
        assert before.read_bytes() == former, "what others write is theirs"
        before.unlink()
        now.unlink()
