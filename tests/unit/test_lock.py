"""Two switches never interleave, and a command that outlives its switch keeps the next one out."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from spark_mode.engine.doors import Clock
from spark_mode.engine.machine import SystemClock
from spark_mode.errors import ConfigurationError, LockBusy
from spark_mode.sharing.children import children_lock
from spark_mode.sharing.lock import NAME, Lock, LockLost, is_acting, is_switching, switch_lock, who_switches
from tests.nobody import Nobody
from tests.simulation.engine import Killed
from tests.unit.test_readiness import Clock as FakeClock


def lock(directory: Path, wait: float | None = 0.0, clock: Clock | None = None) -> AbstractContextManager[Lock]:
    return switch_lock(directory, "audio omni", wait, Nobody().waiting, clock or FakeClock())


def test_a_second_switch_is_told_who_holds_the_lock_since_when_and_doing_what(tmp_path: Path) -> None:
    with lock(tmp_path) as held:
        held.doing("stop whisper")
        told = rf"audio omni, by .* \(process {os.getpid()}\) since 20.*now: stop whisper"
        with pytest.raises(LockBusy, match=told), lock(tmp_path):
            pass


def test_the_lock_is_free_again_after_the_switch(tmp_path: Path) -> None:
    for _ in range(2):
        with lock(tmp_path):
            pass


def test_only_a_holder_that_was_killed_is_known_to_have_been_until_somebody_has_waited(tmp_path: Path) -> None:
    with lock(tmp_path) as held:
        assert not held.was_killed
    with pytest.raises(LockBusy), lock(tmp_path):
        raise LockBusy("as any fault does")
    with pytest.raises(Killed), lock(tmp_path) as held:
        assert not held.was_killed
        raise Killed
    for _ in range(2):
        with lock(tmp_path) as held:
            assert held.was_killed
    with lock(tmp_path) as held:
        held.settled()
    with lock(tmp_path) as held:
        assert not held.was_killed


def test_a_full_disk_keeps_nobody_from_the_lock() -> None:
    full = os.open("/dev/full", os.O_RDWR)
    try:
        held = Lock(full, "stop", lambda: True, FakeClock())
        held.doing("stop whisper")
        held.let_go()
    finally:
        os.close(full)


def test_waiting_for_the_lock_ends_at_its_deadline(tmp_path: Path) -> None:
    clock = FakeClock()
    with lock(tmp_path), pytest.raises(LockBusy), lock(tmp_path, 5, clock):
        pass
    assert 5 <= clock.now() < 6


def test_a_command_left_behind_keeps_the_next_switch_out(tmp_path: Path) -> None:
    orphan = os.open(children_lock(tmp_path), os.O_RDWR | os.O_CREAT)
    fcntl.flock(orphan, fcntl.LOCK_SH)
    with pytest.raises(LockBusy, match="left behind"), lock(tmp_path):
        pass
    os.close(orphan)
    with lock(tmp_path):
        pass


def test_a_command_left_behind_is_named_by_its_process_to_those_who_wait_and_to_those_who_only_stop(tmp_path: Path) -> None:
    command = ["flock", "--shared", str(children_lock(tmp_path)), "sh", "-c", "echo held; read end"]
    clock, told = FakeClock(), list[str]()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as orphan:
        assert orphan.stdout is not None
        assert orphan.stdout.readline() == "held\n"
        left = f"a command that a killed switch left behind still runs: process {orphan.pid}"
        with pytest.raises(LockBusy, match=left), lock(tmp_path, clock=clock):
            pass
        begun = clock.now()
        with switch_lock(tmp_path, "stop", 0.0, Nobody().waiting, clock, told.append):
            assert is_switching(tmp_path)
        assert clock.now() == begun
        orphan.communicate("\n")
    assert told == [f"{left}; it may start something again"]
    with switch_lock(tmp_path, "stop", 0.0, Nobody().waiting, clock, told.append):
        assert len(told) == 1


def test_the_lock_of_a_killed_switch_is_free(tmp_path: Path) -> None:
    program = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"
    path = tmp_path / NAME
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockBusy), lock(tmp_path):
            pass
        holder.kill()
        holder.wait(10)
    with lock(tmp_path):
        pass


def test_a_symlink_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / NAME).symlink_to(target)
    with pytest.raises(ConfigurationError), lock(tmp_path):
        pass
    assert target.read_text() == "precious"


def remove(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    path.rename(path.with_suffix(".former"))
    path.write_text("")


@pytest.mark.parametrize("change", [remove, replace])
def test_a_lock_file_that_goes_while_it_is_held_lets_nobody_in(tmp_path: Path, change: Callable[[Path], None]) -> None:
    with lock(tmp_path):
        change(tmp_path / NAME)
        assert is_switching(tmp_path)
        with pytest.raises(LockBusy), lock(tmp_path):
            pass
    with lock(tmp_path) as held:
        held.doing("stop whisper")
        assert "stop whisper" in (who_switches(tmp_path) or "")


def test_a_lock_file_that_goes_while_it_is_waited_for_is_not_the_one_that_is_locked(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text("")
    former = os.open(path, os.O_RDWR)
    fcntl.flock(former, fcntl.LOCK_EX)

    class Removing(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            path.unlink(missing_ok=True)
            fcntl.flock(former, fcntl.LOCK_UN)

    with lock(tmp_path, 5, Removing()), path.open() as now:
        os.close(former)
        with pytest.raises(BlockingIOError):
            fcntl.flock(now, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_holder_whose_folder_went_does_nothing_more(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    folder.mkdir()
    with lock(folder) as held:
        held.require_held()
        folder.rename(tmp_path / "former")
        folder.mkdir()
        with pytest.raises(LockLost, match="another switch may run"):
            held.require_held()


def test_a_lock_that_cannot_be_looked_at_is_not_one_that_nobody_holds(tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="whether a switch runs cannot be seen"):
        is_switching(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_lock_that_may_not_be_opened_is_not_one_that_nobody_holds(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("")
    (tmp_path / NAME).chmod(0o600)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(ConfigurationError, match="Permission denied; whether a switch runs cannot be seen"):
            is_switching(tmp_path)
    finally:
        os.seteuid(0)


def test_where_there_are_no_locks_nobody_switches(tmp_path: Path) -> None:
    assert not is_switching(tmp_path / "not there")
    assert not is_switching(tmp_path)


@pytest.mark.parametrize(
    ("doing", "seconds", "acts"),
    [("start omni", 0.0, True), ("start omni", 2.0, True), ("start omni", 4.0, False), ("stop omni", 0.0, False)],
)
def test_a_holder_that_only_waits_or_shows_no_progress_is_held_up(doing: str, seconds: float, acts: bool, tmp_path: Path) -> None:
    clock = FakeClock()
    assert not is_acting(tmp_path, clock)
    with lock(tmp_path, clock=clock) as held:
        held.doing(doing, waits=doing.startswith("stop"))
        clock.sleep(seconds)
        assert is_acting(tmp_path, clock) is acts
        held.doing("start omni")
        assert is_acting(tmp_path, clock)


def test_a_holder_that_goes_on_shows_it(tmp_path: Path) -> None:
    clock = FakeClock()
    with lock(tmp_path, clock=clock) as held:
        for _ in range(100):
            clock.sleep(0.1)
            held.goes_on()
            assert is_acting(tmp_path, clock)


def test_a_holder_that_was_stopped_is_held_up_and_those_who_wait_are_told(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from spark_mode.sharing.lock import switch_lock;"
        "from spark_mode.engine.machine import SystemClock; from tests.nobody import Nobody\n"
        "with switch_lock(Path(sys.argv[1]), 'training', 0.0, Nobody().waiting, SystemClock()):\n"
        " print('held', flush=True)\n"
        " input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_acting(tmp_path, SystemClock())
        holder.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED)
        assert not is_acting(tmp_path, SystemClock())
        with pytest.raises(LockBusy, match=f"it is stopped; to let it go on: kill -CONT {holder.pid}"), lock(tmp_path):
            pass
        holder.kill()
