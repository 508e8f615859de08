"""The directories that all users share: both or none, made and taken away by one command each; below a root of the tests' own."""

import fcntl
import grp
import os
import shutil
import subprocess
import sys
import zlib
from itertools import product
from pathlib import Path

import pytest

from spark_mode.enforcement import shared
from spark_mode.enforcement.presence import directories_all_the_same
from spark_mode.errors import ConfigurationError, LockBusy, Refused
from spark_mode.journal.journal_file import JournalFile
from spark_mode.journal.records import Began, Ended, Held, Policy, Record, RestoreAfter
from spark_mode.planning.observed import Hold, Observed
from spark_mode.planning.request import ModeRequest
from spark_mode.sharing.directories import directories, shared_directories
from spark_mode.sharing.leases import Lease, Leases
from spark_mode.sharing.process import process_began
from tests.deep import DEEP

GROUP = grp.getgrgid(os.getegid()).gr_name


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a machine whose user has a home; nobody has called sudo."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("SUDO_UID", raising=False)
    return tmp_path / "root"


def refused(root: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as found:
        directories(root)
    assert found.value.exit_code == 3
    return found.value


def test_what_was_set_up_is_shared_and_with_nothing_set_up_the_users_own_is_used(root: Path, tmp_path: Path) -> None:
    own = tmp_path / "home/.local/state/spark-mode"
    assert directories(root) == (own, own, False)
    shared.set_up(root, GROUP)
    assert directories(root) == (*shared_directories(root), True)
    for folder in shared_directories(root):
        assert folder.stat().st_mode & 0o7777 == 0o2770
        assert folder.stat().st_gid == os.getegid()


def test_after_a_boot_without_the_locks_directory_nothing_falls_back_to_a_private_one(root: Path, tmp_path: Path) -> None:
    shared.set_up(root, GROUP)
    locks, _ = shared_directories(root)
    shutil.rmtree(locks)
    assert "sudo spark-mode setup --shared" in (refused(root).hint or "")
    assert not (tmp_path / "home").exists()
    shared.set_up(root, GROUP)
    assert directories(root).locks == locks


def test_after_a_boot_without_the_locks_directory_a_guard_uses_what_there_is_and_says_what_is_missing(root: Path) -> None:
    shared.set_up(root, GROUP)
    locks, state = shared_directories(root)
    shutil.rmtree(locks)
    told: list[str] = []
    assert directories_all_the_same(told.append, root) == (locks, state, True)
    assert told == [
        f"{locks} is missing, and {state} is there: users would no longer exclude each other; the lab is guarded all the same; "
        "sudo spark-mode setup --shared, or: sudo systemd-tmpfiles --create spark-mode.conf"
    ]


def test_a_directory_of_the_users_own_that_cannot_be_used_holds_up_a_guard_and_not_a_stop(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    told: list[str] = []
    with pytest.raises(ConfigurationError, match="XDG_STATE_HOME is relative"):
        directories_all_the_same(told.append, root)
    assert told == []
    forgiven: list[ConfigurationError] = []
    assert directories(root, forgiven.append, own_too=True) == (*shared_directories(root), True)
    assert ["XDG_STATE_HOME is relative" in one.message for one in forgiven] == [True]


def test_locks_without_the_state_are_refused_too(root: Path) -> None:
    shared.set_up(root, GROUP)
    _, state = shared_directories(root)
    state.rmdir()
    assert str(state) in refused(root).message


def test_what_lies_there_and_is_no_directory_is_refused(root: Path) -> None:
    shared.set_up(root, GROUP)
    locks, state = shared_directories(root)
    locks.rmdir()
    locks.symlink_to(state)
    assert "is not a directory" in refused(root).message


def test_what_lies_in_the_place_of_the_users_own_directory_is_named_with_what_moves_it_away(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "spark-mode").write_text("")
    with pytest.raises(ConfigurationError, match="spark-mode is not a directory") as refused:
        directories(root)
    assert refused.value.hint == f"move it away: mv {tmp_path}/spark-mode {tmp_path}/spark-mode.old"


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can be somebody else")
def test_somebody_who_may_not_write_the_shared_ones_is_told_the_group_and_gets_no_private_lock(root: Path) -> None:
    shared.set_up(root, GROUP)
    for folder in (root.parent, *root.parents[1:4]):
        folder.chmod(0o755)
    program = (
        "import os; from pathlib import Path; from spark_mode.sharing.directories import directories\n"
        f"os.setgroups([]); os.setgid(65534); os.setuid(65534); directories(Path({str(root)!r}))"
    )
    asked = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert "you may not write" in asked.stderr
    assert not (root.parent / "home").exists()


@pytest.mark.parametrize("variable", ["XDG_STATE_HOME", "HOME"])
def test_a_relative_home_of_the_state_is_refused(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, "state")
    assert f"{variable} is relative" in refused(root).message
    assert not (tmp_path / "state").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="who calls sudo becomes root")
def test_by_sudo_no_journal_of_roots_own_is_used(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "1000")
    assert "sudo spark-mode setup --shared" in (refused(root).hint or "")
    shared.set_up(root, GROUP)
    assert directories(root).shared
    shared.take_down(root)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "chosen"))
    assert directories(root).state == tmp_path / "chosen/spark-mode"


def test_what_is_taken_away_comes_back_with_what_was_written(root: Path) -> None:
    conf = shared.set_up(root, GROUP)
    assert shared.comes_back(root)
    journal = shared_directories(root)[1] / "engine.lab.journal"
    journal.write_text("records")
    assert shared.take_down(root)
    assert not conf.exists()
    assert not shared.comes_back(root)
    assert not directories(root).shared
    assert not shared.take_down(root)
    shared.set_up(root, GROUP)
    assert journal.read_text() == "records"


@pytest.fixture
def began() -> Began:
    """A switch that began and has not ended."""
    asked = ModeRequest(mode="training")
    return Began(switch="1", at="now", by="ann", request=asked, steps=(), before=Observed(), restore=True, inputs={})


def test_nothing_is_taken_away_while_a_switch_runs_or_is_unfinished(root: Path, began: Began) -> None:
    shared.set_up(root, GROUP)
    locks, state = shared_directories(root)
    lock = locks / "engine.lock"
    lock.touch()
    for path in (lock, locks):
        held = os.open(path, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(LockBusy, match="is held"):
            shared.take_down(root)
        os.close(held)
    JournalFile(state / "engine.lab.journal").append(began)
    with pytest.raises(Refused, match="training, by ann"):
        shared.take_down(root)
    assert lock.exists()
    assert directories(root).shared


ENDED = Ended(switch="1", at="now", by="ann", request="training", outcome="applied", seconds=1.0)


@pytest.mark.parametrize(
    ("records", "why", "verb"),
    [
        (
            [Held(holds=(Hold(request="audio omni", by="ann", since="noon", services=("omni",)),))],
            "ann holds audio omni",
            "release",
        ),
        ([RestoreAfter(switch="1"), ENDED], "what ran before training is still to come back", "restore"),
    ],
)
def test_nothing_is_taken_away_or_set_up_over_what_is_held_or_still_to_come_back(
    root: Path, records: list[Record], why: str, verb: str
) -> None:
    def write(folder: Path) -> None:
        for record in records:
            JournalFile(folder / "engine.lab.journal").append(record)

    own = directories(root).state
    write(own)
    with pytest.raises(Refused, match=why) as refused:
        shared.set_up(root, GROUP, [own])
    assert not directories(root).shared
    shared.set_up(root, GROUP)
    write(shared_directories(root)[1])
    with pytest.raises(Refused, match=why) as refused:
        shared.take_down(root)
    assert f"first, in that lab: spark-mode {verb};" in (refused.value.hint or "")
    assert shared.comes_back(root)
    assert directories(root).shared


def test_restart_policies_that_are_owed_are_kept_and_said_with_what_gives_them_back(root: Path) -> None:
    shared.set_up(root, GROUP)
    journal = JournalFile(shared_directories(root)[1] / "engine.lab.journal")
    for owed in (("always", 0), ("on-failure", 3)):
        journal.append(Policy(container=owed[0] * 3, service="omni", policy=owed[0], retries=owed[1]))
    assert shared.take_down(root)
    assert shared.give_back_by_hand(shared.kept_state(root)) == [
        "docker update --restart always alwaysalways",
        "docker update --restart on-failure:3 on-failureon",
    ]


def test_what_was_put_aside_before_is_not_written_over_and_the_way_out_is_named(root: Path) -> None:
    shared.set_up(root, GROUP)
    kept = shared.kept_state(root)
    kept.mkdir()
    (kept / "engine.lab.journal").write_text("of an earlier time")
    with pytest.raises(ConfigurationError, match=r"spark-mode\.kept is there already") as refused:
        shared.take_down(root)
    assert refused.value.hint == f"move it away first: mv {kept} {kept}.old"
    assert shared.comes_back(root)
    kept.rename(f"{kept}.old")
    assert shared.take_down(root)


CUT_OFF = [*product(("unlink", "rename", "rmdir"), (False, True))]
"""At which calls, and whether the machine boots after it: `make test` tries each call with one of the two, in turn."""


@pytest.mark.parametrize(("call", "boots"), CUT_OFF if DEEP else [CUT_OFF[0], CUT_OFF[3], CUT_OFF[4]])
def test_what_was_cut_off_while_it_was_taken_away_is_taken_away_by_the_next_whether_it_boots_between(
    root: Path, call: str, boots: bool
) -> None:
    """A process of its own is killed between the first call of a kind and its next one below the root."""
    conf = shared.set_up(root, GROUP)
    locks, state = shared_directories(root)
    (state / "engine.lab.measured.jsonl").write_text("records")
    program = (
        "import os, sys; from pathlib import Path; from spark_mode.enforcement.shared import take_down\n"
        "def audit(event, arguments):\n"
        f"    if before and {str(root)!r} in str(arguments): os._exit(9)\n"
        f"    if event == 'os.{'remove' if call == 'unlink' else call}': before.append(event)\n"
        f"before = []; sys.addaudithook(audit); take_down(Path({str(root)!r}))"
    )
    subprocess.run([sys.executable, "-c", program], check=False)
    if boots:  # what /run and systemd-tmpfiles make of it
        shutil.rmtree(locks, ignore_errors=True)
        for folder in (locks, state) if conf.exists() else ():
            folder.mkdir(exist_ok=True)
    shared.take_down(root)
    assert not any(map(os.path.lexists, (locks, state, conf)))
    assert (shared.kept_state(root) / "engine.lab.measured.jsonl").read_text() == "records"


@pytest.mark.parametrize("name", ["leases.json", "engine.lab.leases.json"])
def test_nothing_is_taken_away_while_somebody_is_about_to_start_something(root: Path, name: str) -> None:
    shared.set_up(root, GROUP)
    began = process_began(os.getpid())
    assert began is not None
    Leases(shared_directories(root)[0] / name).add(Lease.give("training", "lab", os.getpid(), began, "ann", ()))
    with pytest.raises(Refused, match="training is about to start"):
        shared.take_down(root)
    assert directories(root).shared


def test_nothing_is_taken_away_while_a_journal_is_not_understood(root: Path) -> None:
    shared.set_up(root, GROUP)
    text = b'{"kind": "of a newer release"}'
    (shared_directories(root)[1] / "engine.lab.journal").write_bytes(b"%08x %b\n" % (zlib.crc32(text), text))
    with pytest.raises(Refused, match="not understood"):
        shared.take_down(root)


def test_nothing_is_set_up_over_a_switch_that_is_unfinished_in_a_users_own_state(root: Path, began: Began) -> None:
    own = directories(root).state
    JournalFile(own / "engine.lab.journal").append(began)
    with pytest.raises(Refused, match="training, by ann"):
        shared.set_up(root, GROUP, [own])
    assert not directories(root).shared


def test_a_file_of_somebody_else_stays(root: Path) -> None:
    conf = root / shared.TMPFILES
    conf.parent.mkdir(parents=True)
    conf.write_text("d /run/spark-mode 0777 root root -\n")
    for act in (lambda: shared.set_up(root, GROUP), lambda: shared.take_down(root)):
        with pytest.raises(ConfigurationError, match="is not from spark-mode"):
            act()
    assert not directories(root).shared


def test_what_a_package_has_a_boot_make_comes_and_goes_with_the_package(root: Path) -> None:
    packaged = root / shared.PACKAGED_TMPFILES
    packaged.parent.mkdir(parents=True)
    packaged.write_text(shared.tmpfiles_text())
    assert shared.set_up(root, GROUP) == packaged
    assert not (root / shared.TMPFILES).exists(), "one file says it"
    assert shared.comes_back(root)
    with pytest.raises(ConfigurationError, match="the package spark-mode") as refused:
        shared.take_down(root)
    assert "sudo apt remove spark-mode" in (refused.value.hint or "")
    assert directories(root).shared


def test_without_the_group_nothing_is_made(root: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no group"):
        shared.set_up(root, "no-such-group")
    assert not (root / shared.TMPFILES).exists()
