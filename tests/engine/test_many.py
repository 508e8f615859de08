"""Many at once: requests of several processes, two users, and a disk that is full."""

import grp
import os
import pwd
import random
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deep import DEEP
from tests.engine.conftest import PROJECT
from tests.engine.lab import DEADLINE, LONG, ROOT, SLOW_STOP, Lab, Outcome, asked_to_stop, docker, ends, until
from tests.engine.own_machine import LabThere, own_machine
from tests.engine.witness import Witness

REQUESTS = (
    *(("audio", name) for name in ("omni", *(("chatterbox", "xtts", "qwen", "f5") if DEEP else ()))),
    ("training", "--yes"),
    ("training:large", "--yes"),
    ("stop",),
    ("up", "whisper", "--yes"),
    ("restore", "--yes"),
)
PAGE = 4096
MANY = 100 if DEEP else 16


def test_many_requests_of_eight_processes_are_all_answered_and_end_in_a_legal_state(lab: Lab) -> None:
    chance = random.Random(11)
    lab.run("audio", "omni")
    left = [(*REQUESTS[number % len(REQUESTS)], *(("--wait=60",) if number % 2 == 0 else ())) for number in range(MANY)]
    chance.shuffle(left)
    codes: list[Outcome] = []

    def work() -> None:
        while left:
            codes.append(lab.run(*left.pop(), expect=None, STAND_IN_LOAD="0"))

    with Witness(lab.project) as witness:
        threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(codes) == MANY
    assert {one.code for one in codes} <= {0, 4, 5}, [one for one in codes if one.code not in (0, 4, 5)]
    assert sum(1 for one in codes if one.code == 0) >= 5
    assert [one for one in codes if one.code == 5 and "another switch is running" not in one.err] == []
    status = lab.run("status", "--format", "json").json
    assert status["violations"] == []
    assert status["interrupted"] is None
    assert lab.run("recover").code == 0
    history = lab.run("history", "--last", "200", "--format", "json").json
    assert sum(1 for one in history if one["outcome"] in ("applied", "unchanged")) == 1 + sum(one.code == 0 for one in codes)
    witness.require(audio_starts=1, training_starts=1)


@pytest.fixture
def shared_lab(tmp_path: Path) -> Iterator[LabThere]:
    """A lab on a machine that was set up for all its users."""
    (tmp_path / "machine").mkdir()
    with own_machine(tmp_path / "machine") as machine:
        one = LabThere(PROJECT, tmp_path, machine)
        one.down()
        one.run("setup", "--shared")
        yield one
        one.down()


def as_nobody(lab: LabThere, *arguments: str) -> Outcome:
    """Run spark-mode as another user of Docker's group, with another umask, who may read what root installed."""
    nobody, group = pwd.getpwnam("nobody").pw_uid, grp.getgrnam("docker").gr_gid
    read = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]
    as_other = ["setpriv", f"--reuid={nobody}", f"--regid={group}", "--clear-groups", *read]
    done = subprocess.run(
        lab.machine.command(*as_other, *Lab.arguments(lab, *arguments)),
        check=False,
        cwd=ROOT,
        env=lab.environment | {"HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        stdin=subprocess.DEVNULL,
        umask=0o077,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_two_users_exclude_each_other_and_go_on_with_each_others_switches(shared_lab: LabThere) -> None:
    lab = shared_lab
    first = as_nobody(lab, "audio", "omni")
    assert first.code == 0, first
    running = lab.spawn("training", TRAINING_LOAD="10", TRAINING_ASKED="2s")
    until(lambda: "training" in lab.running())
    busy = as_nobody(lab, "audio", "xtts")
    assert busy.code == 5, busy
    assert "by root" in busy.err
    running.kill()
    running.communicate()
    recovered = as_nobody(lab, "recover")
    assert recovered.code == 0, recovered
    assert set(lab.running()) == {"training"}
    assert {one["by"] for one in lab.run("history", "--format", "json").json} == {"nobody", "root"}


@pytest.fixture
def disk(lab: Lab) -> Iterator[Path]:
    """A small disk of its own under the lab's state."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    folder = lab.state_folder
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_journal_on_a_full_disk_refuses_before_anything_stops_and_one_that_fills_up_in_the_middle_lets_stops_alone_go_on(
    lab: Lab, disk: Path
) -> None:
    lab.run("audio", "omni", OMNI_FAULT=SLOW_STOP, STOP_GRACE=LONG)
    before = lab.running()
    filler = filled(disk, 4096)
    refused = lab.run("training", expect=3)
    assert "the journal cannot be written" in refused.err
    assert "No space left on device" in refused.err
    assert "nothing was touched" in refused.err
    assert lab.running() == before
    filler.unlink()

    switch = lab.spawn("training")
    omni = asked_to_stop(lab, "omni")
    filler = filled(disk, 64)
    (journal,) = disk.glob("*.journal")
    with journal.open("ab") as file:  # its last page, which is on the disk already
        file.write(b"x" * (PAGE - journal.stat().st_size % PAGE - 1) + b"\n")
    docker("kill", omni)
    end = ends(switch)
    assert end.code == 7, end
    assert "nothing more is started" in end.out
    assert lab.running() == {}
    filler.unlink()
    lab.run("recover")
    assert set(lab.running()) in ({"training"}, {"omni"})


def filled(disk: Path, size: int) -> Path:
    """Fill a disk with a file, in writes of this size."""
    filler = disk / "filler"
    with filler.open("wb") as file, pytest.raises(OSError, match="No space"):
        while True:
            os.write(file.fileno(), b"x" * size)
    return filler
