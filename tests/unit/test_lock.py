"""Two switches never interleave, and a command that outlives its switch keeps the next one out."""

import fcntl
import os
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from composer.engine.doors import Clock
from composer.errors import ConfigurationError, LockBusy
from composer.switching.lock import Lock, children_lock, switch_lock
from tests.nobody import Nobody
from tests.unit.test_readiness import Clock as FakeClock


def lock(directory: Path, wait: float | None = 0.0, clock: Clock | None = None) -> AbstractContextManager[Lock]:
    return switch_lock(directory, "engine", "audio omni", wait, Nobody(), clock or FakeClock())


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


def test_waiting_for_the_lock_ends_at_its_deadline(tmp_path: Path) -> None:
    clock = FakeClock()
    with lock(tmp_path), pytest.raises(LockBusy), lock(tmp_path, 5, clock):
        pass
    assert 5 <= clock.now() < 6


def test_a_command_left_behind_keeps_the_next_switch_out(tmp_path: Path) -> None:
    orphan = os.open(children_lock(tmp_path, "engine"), os.O_RDWR | os.O_CREAT)
    fcntl.flock(orphan, fcntl.LOCK_SH)
    with pytest.raises(LockBusy, match="left behind"), lock(tmp_path):
        pass
    os.close(orphan)
    with lock(tmp_path):
        pass


def test_the_lock_of_a_killed_switch_is_free(tmp_path: Path) -> None:
    program = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"
    path = tmp_path / "engine.lock"
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
    (tmp_path / "engine.lock").symlink_to(target)
    with pytest.raises(ConfigurationError), lock(tmp_path):
        pass
    assert target.read_text() == "precious"
