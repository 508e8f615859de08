"""The journal on a disk: what was acknowledged is read again, whatever was torn, flipped or rotated."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from composer.planning.observed import Hold, Observed
from composer.planning.plan import Start, Stop
from composer.planning.request import Request
from composer.switching import journal_file
from composer.switching.journal import JournalFailed, past
from composer.switching.journal_file import JournalFile
from composer.switching.records import Began, Ended, GoingBack, Held, Policy, Record, StepBegun, StepEnded
from composer.switching.state import State

STOP = Stop(service="omni", subject="omni", cause="it must", containers=("1",), by_compose=True)
START = Start(service="training", subject="training", cause="requested", completes=True, ready_seconds=60)
HOLD = Hold(request="training", by="ann", since="2026-01-01T00:00:00+00:00", services=("training",), containers=("1",))


def began(switch: str) -> Began:
    request = Request(verb="training", names=("large",))
    return Began(
        switch=switch, at="now", by="ann", request=request, steps=(STOP, START), before=Observed(), restore=True, inputs={}
    )


def ended(switch: str) -> Ended:
    state = State(request="training", mode="training", models=("m",), variants={"training": "large"})
    return Ended(switch=switch, at="now", by="ann", request="training", outcome="applied", seconds=1.5, state=state)


@pytest.fixture
def journal(tmp_path: Path) -> JournalFile:
    return JournalFile(tmp_path / "lab.journal")


def write(journal: JournalFile, *records: Record) -> None:
    for record in records:
        journal.append(record)


def test_a_journal_that_is_not_there_is_an_empty_one(journal: JournalFile) -> None:
    assert journal.records() == []
    assert past([]).open is None


def test_a_switch_that_began_is_open_until_it_ended_and_says_where_it_was(journal: JournalFile) -> None:
    write(journal, began("a"), StepBegun(switch="a", step=STOP), StepEnded(switch="a"), StepBegun(switch="a", step=START))
    unfinished = past(journal.records()).open
    assert unfinished is not None
    assert unfinished.began == began("a")
    assert unfinished.steps == (STOP, START)
    assert (unfinished.at, unfinished.back, unfinished.ready) == ("start training", False, ())
    assert unfinished.starts == {"training"}
    write(journal, StepEnded(switch="a"), GoingBack(switch="a", reason="because"))
    unfinished = past(journal.records()).open
    assert unfinished is not None
    assert (unfinished.back, unfinished.ready) == (True, ("training",))
    write(journal, ended("a"))
    known = past(journal.records())
    assert known.open is None
    assert known.state == ended("a").state
    assert known.last_change == "a"


def test_a_torn_last_line_is_passed_over_and_cut_off_by_the_next_record(journal: JournalFile) -> None:
    write(journal, began("a"), ended("a"))
    whole = journal.path.read_bytes()
    for length in range(1, 60, 7):
        journal.path.write_bytes(whole + whole[:length])
        assert len(journal.records()) == 2
        write(journal, Held(holds=(HOLD,)))
        assert [one["kind"] for one in journal.records()] == ["began", "ended", "held"]
        assert journal.damaged() == 0


def test_a_flipped_bit_loses_one_record_and_is_counted(journal: JournalFile) -> None:
    write(journal, began("a"), Held(holds=(HOLD,)), ended("a"))
    text = bytearray(journal.path.read_bytes())
    text[text.index(b"ann", text.index(b"held"))] ^= 1
    journal.path.write_bytes(bytes(text))
    assert [one["kind"] for one in journal.records()] == ["began", "ended"]
    assert journal.damaged() == 1


def test_a_record_of_an_unknown_shape_is_counted_and_passed_over() -> None:
    known = past([{"kind": "new"}, {"kind": "ended"}, {}, ended("a").model_dump(mode="json")])
    assert (known.unreadable, len(known.ended)) == (3, 1)


def test_policies_are_owed_until_they_are_given_back(journal: JournalFile) -> None:
    one = Policy(container="1", service="omni", policy="on-failure", retries=3)
    write(journal, one, Policy(container="2", service="xtts", policy="always"))
    write(journal, one.model_copy(update={"given_back": True}))
    assert list(past(journal.records()).policies) == ["2"]


def test_rotation_keeps_what_is_owed_and_never_more_than_two_files(
    journal: JournalFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(journal_file, "ROTATED_AT", 4096)
    owed = Policy(container="1", service="omni", policy="always")
    write(journal, owed, Held(holds=(HOLD,)))
    for number in range(60):
        journal.rotate()
        write(journal, began(str(number)), ended(str(number)))
    known = past(journal.records())
    assert known.policies == {"1": owed}
    assert known.holds == (HOLD,)
    assert known.state == ended("x").state
    assert known.ended[-1].switch == "59"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["lab.journal", "lab.journal.1"]
    assert all(one.stat().st_size < 3 * 4096 for one in tmp_path.iterdir())


def test_a_rotation_that_is_cut_off_between_its_two_renames_loses_nothing(
    journal: JournalFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_file, "ROTATED_AT", 1)
    owed = Policy(container="1", service="omni", policy="always")
    write(journal, owed, ended("a"))
    journal.path.rename(journal.former)
    assert past(journal.records()).policies == {"1": owed}
    write(journal, ended("b"))
    journal.rotate()
    assert past(journal.records()).policies == {"1": owed}


def test_a_journal_never_follows_a_link(journal: JournalFile, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_text("precious")
    journal.path.symlink_to(target)
    with pytest.raises(JournalFailed):
        journal.append(ended("a"))
    with pytest.raises(JournalFailed):
        journal.records()
    assert target.read_text() == "precious"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["a directory", "a pipe"])
def test_what_lies_in_place_of_a_journal_is_an_error_and_holds_nobody_up(
    journal: JournalFile, make: Callable[[Path], None]
) -> None:
    make(journal.path)
    with pytest.raises(JournalFailed):
        journal.append(ended("a"))
    if journal.path.is_dir():
        with pytest.raises(JournalFailed, match="directory"):
            journal.records()
    else:
        assert journal.records() == []


def test_the_journal_is_writable_for_the_group_whatever_the_umask(journal: JournalFile) -> None:
    former = os.umask(0o077)
    try:
        journal.append(ended("a"))
    finally:
        os.umask(former)
    assert journal.path.stat().st_mode & 0o777 == 0o660


def test_what_a_full_disk_took_of_a_record_is_cut_off_again(journal: JournalFile, monkeypatch: pytest.MonkeyPatch) -> None:
    write(journal, ended("a"))
    whole, write_some = journal.path.read_bytes(), os.write

    def fills_up(descriptor: int, text: bytes) -> int:
        if len(text) < 50:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_some(descriptor, text[: len(text) - 40])

    monkeypatch.setattr(os, "write", fills_up)
    with pytest.raises(JournalFailed, match="No space left on device"):
        journal.append(ended("b"))
    monkeypatch.undo()
    assert journal.path.read_bytes() == whole
