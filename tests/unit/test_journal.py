"""The journal on a disk: what was acknowledged is read again, whatever was torn, flipped or begun anew."""

import errno
import fcntl
import json
import os
import zlib
from collections.abc import Callable
from itertools import product
from pathlib import Path
from threading import Thread

import pytest

from spark_mode.errors import NeedsAttention
from spark_mode.journal import journal_file
from spark_mode.journal.journal import JournalFailed, JournalState, journal_state, refusal
from spark_mode.journal.journal_file import JournalFile
from spark_mode.journal.records import (
    VERSION,
    Began,
    Ended,
    GoingBack,
    Held,
    PassedOver,
    Policy,
    Record,
    Recovering,
    RestoreAfter,
    Signalled,
    StepBegun,
    StepEnded,
)
from spark_mode.journal.state import State
from spark_mode.journal.understanding import require_understood
from spark_mode.planning.observed import Hold, Observed
from spark_mode.planning.plan import Start, Stop
from spark_mode.planning.request import ModeRequest, StopRequest
from spark_mode.sharing.disk import RealDisk
from tests.deep import DEEP
from tests.simulation.disk import SimulatedDisk
from tests.simulation.lab import machine

STOP = Stop(service="omni", subject="omni", cause="it must", containers=("1",), by_compose=True)
START = Start(service="training", subject="training", cause="requested", completes=True, ready_seconds=60)
HOLD = Hold(request="training", by="ann", since="2026-01-01T00:00:00+00:00", services=("training",), containers=("1",))


def began(switch: str) -> Began:
    request = ModeRequest(mode="training", variant="large")
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


def test_a_writer_that_was_stopped_in_the_middle_of_a_write_holds_nobody_up_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "lab.journal"
    stopped = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(stopped, fcntl.LOCK_EX)
    with pytest.raises(JournalFailed, match="another process has been writing it"):
        JournalFile(path, RealDisk(seconds=0.05)).append(began("a"))
    os.close(stopped)
    JournalFile(path, RealDisk(seconds=0.05)).append(began("a"))


def test_a_journal_that_is_not_there_is_an_empty_one(journal: JournalFile) -> None:
    assert journal.records() == []
    assert journal_state([]).unfinished is None


def test_a_switch_that_began_is_open_until_it_ended_and_says_where_it_was(journal: JournalFile) -> None:
    write(journal, began("a"), StepBegun(switch="a", step=STOP), StepEnded(switch="a"), StepBegun(switch="a", step=START))
    unfinished = journal_state(journal.records()).unfinished
    assert unfinished is not None
    assert unfinished.began == began("a")
    assert unfinished.steps == (STOP, START)
    assert (unfinished.at, unfinished.back, unfinished.ready) == ("start training", False, ())
    assert unfinished.starts == {"training"}
    write(journal, StepEnded(switch="a"), GoingBack(switch="a", reason="because"))
    unfinished = journal_state(journal.records()).unfinished
    assert unfinished is not None
    assert (unfinished.back, unfinished.ready) == (True, ("training",))
    write(journal, Signalled(switch="a", at_once=True), Recovering(switch="a", at="2026", by="ann"))
    assert str(journal_state(journal.records()).unfinished).endswith(
        "was cut off during: start training, left at once by a second signal; a recovery, by ann, did not finish it"
    )
    write(journal, ended("a"))
    known = journal_state(journal.records())
    assert known.unfinished is None
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
        assert journal_state(journal.records()).unreadable == 0


@pytest.mark.parametrize("record", [began("c"), Held(holds=()), StepEnded(switch="a")], ids=["began", "held", "ended"])
def test_a_record_that_is_torn_at_any_byte_was_never_there_and_one_that_is_whole_is(record: Record) -> None:
    disk, name = machine(), "lab.journal"
    journal = JournalFile(Path(name), SimulatedDisk(disk))
    write(journal, Held(holds=(HOLD,)), began("a"))
    before, known = disk.files[name], journal_state(journal.records())
    write(journal, record)
    whole, after = disk.files[name], journal_state(journal.records())
    for length in range(len(before), len(whole)):
        disk.files[name] = whole[:length]
        assert journal_state(journal.records()) == known
        write(journal, record)
        assert disk.files[name] == whole
        assert journal_state(journal.records()) == after


def test_a_bit_that_flips_anywhere_is_never_passed_over_in_silence() -> None:
    disk, name = machine(), "lab.journal"
    journal = JournalFile(Path(name), SimulatedDisk(disk))
    write(journal, Held(holds=(HOLD,)), began("a"), StepBegun(switch="a", step=STOP))
    text = disk.files[name]
    for place, bit in product(range(len(text)), range(8)):
        if not DEEP and bit != place % 8:
            continue
        disk.files[name] = text[:place] + bytes([text[place] ^ 1 << bit]) + text[place + 1 :]
        assert journal_state(journal.records()).unreadable > 0, (place, bit)
        write(journal, GoingBack(switch="a", reason="because"))
        assert journal_state(journal.records()).unreadable > 0, (place, bit)


NEWER = {"version": VERSION + 1, "kind": "held", "holds": []}


@pytest.mark.parametrize("strange", [NEWER, {"kind": "new"}, {"kind": "ended"}, {}, {"kind": "held", "holds": "all"}], ids=str)
def test_a_record_that_is_not_understood_counts_until_somebody_says_that_it_does_not(strange: dict[str, object]) -> None:
    text = [one.model_dump(mode="json") for one in (Held(holds=(HOLD,)), ended("a"))]
    known = journal_state([strange, *text])
    assert (known.unreadable, known.holds, len(known.ended)) == (1, (HOLD,), 1)
    assert "1 record that this release does not understand" in (known.puzzle or "")
    with pytest.raises(NeedsAttention, match="a switch may be unfinished"):
        require_understood(known, ModeRequest(mode="training"))
    require_understood(known, StopRequest())
    over = PassedOver(at="now", by="ann", count=1).model_dump(mode="json")
    known = journal_state([strange, *text, began("b").model_dump(mode="json"), over])
    assert (known.unreadable, known.puzzle, known.unfinished) == (0, None, None)
    assert journal_state([over, strange]).unreadable == 1


def test_a_journal_of_the_first_releases_is_understood() -> None:
    records = [one.model_dump(mode="json") for one in (Held(holds=(HOLD,)), began("a"), StepBegun(switch="a", step=STOP))]
    for one in records:
        assert one.pop("version") == VERSION
    known = journal_state(records)
    assert known.unfinished is not None
    assert (known.holds, known.unfinished.steps, known.unreadable) == ((HOLD,), (STOP,), 0)


def test_policies_are_owed_until_they_are_given_back(journal: JournalFile) -> None:
    one = Policy(container="1", service="omni", policy="on-failure", retries=3)
    write(journal, one, Policy(container="2", service="xtts", policy="always"))
    write(journal, one.model_copy(update={"given_back": True}))
    assert list(journal_state(journal.records()).policies) == ["2"]


def in_force(known: JournalState) -> JournalState:
    """Return what must be the same whether a journal began anew in between or not."""
    return known.model_copy(update={"ended": (), "kept": (), "refused": frozenset()})


OWED = Policy(container="1", service="omni", policy="always")
LIFE: list[Record] = [
    *(OWED, Held(holds=(HOLD,)), began("a"), StepBegun(switch="a", step=STOP), OWED.model_copy(update={"container": "2"})),
    *(StepEnded(switch="a"), StepBegun(switch="a", step=START), StepEnded(switch="a"), RestoreAfter(switch="a"), ended("a")),
    *(began("b"), Recovering(switch="b", at="now", by="bob"), StepBegun(switch="b", step=START)),
    *(OWED.model_copy(update={"given_back": True}), GoingBack(switch="b", reason="because"), Held(holds=())),
    *(Signalled(switch="b", at_once=True), StepEnded(switch="b", failed="it did")),
]


def test_a_journal_that_begins_anew_at_any_record_has_all_that_is_in_force() -> None:
    """Also in the middle of a switch, and though somebody else's endless refusals are between the records."""
    disk = SimulatedDisk(one := machine())
    grown, small = JournalFile(Path("grown"), disk, limit=10**9), JournalFile(Path("small"), disk, limit=1)
    refused = Ended(switch="r", at="now", by="eve", request="audio omni", outcome="refused", seconds=0.1, note="x" * 4000)
    for record in LIFE * 2:
        for journal in (grown, small):
            write(journal, refused, record)
        assert in_force(journal_state(small.records())) == in_force(journal_state(grown.records()))
        write(small, *[refused] * 8)
        assert in_force(journal_state(small.records())) == in_force(journal_state(grown.records()))
    assert len(one.files["small"]) < 64 * 1024 < len(one.files["grown"])
    assert sorted(one.files) == ["grown", "small", "small.1"]


def test_after_three_thousand_refused_requests_a_new_hold_is_in_force_and_the_journal_is_small() -> None:
    journal = JournalFile(Path("lab.journal"), SimulatedDisk(disk := machine()))
    write(journal, OWED)
    for number in range(3011):
        note = "it does not fit beside what runs: " + "x" * 200
        write(journal, ended(str(number)).model_copy(update={"outcome": "refused", "note": note, "state": None}))
    write(journal, Held(holds=(HOLD,)))
    known = journal_state(journal.records())
    assert (known.holds, known.policies, known.unreadable) == ((HOLD,), {"1": OWED}, 0)
    assert len(disk.files["lab.journal"]) <= journal_file.LIMIT + 4096
    assert len(disk.files["lab.journal.1"]) <= journal_file.HISTORY
    kept = journal_state(journal.history()).ended
    assert [one.switch for one in kept] == [str(number) for number in range(3011)][-len(kept) :]
    assert len(kept) > 150


def test_a_journal_that_is_larger_than_any_of_ours_is_read_to_its_end(journal: JournalFile) -> None:
    grown = JournalFile(journal.path, limit=10**9)
    write(grown, *[ended("a").model_copy(update={"note": "x" * 10_000})] * 150, Held(holds=(HOLD,)))
    assert journal_state(journal.records()).holds == (HOLD,)
    write(journal, ended("b"))
    assert journal_state(journal.records()).holds == (HOLD,)
    assert journal.path.stat().st_size < 4096


def test_what_is_not_understood_is_kept_as_it_is_when_the_journal_begins_anew(journal: JournalFile) -> None:
    write(journal, began("a"), ended("a"))
    text = journal.path.read_bytes()
    newer = json.dumps(NEWER).encode()
    line = f"{zlib.crc32(newer):08x} ".encode() + newer
    journal.path.write_bytes(text.replace(b"training", b"trainxng", 1) + line + b"\n")
    assert journal_state(journal.records()).unreadable == 2
    anew = JournalFile(journal.path, limit=1)
    write(anew, *[ended(str(number)) for number in range(40)])
    assert journal_state(journal.records()).unreadable == 2
    assert line in journal.path.read_bytes()
    assert journal.path.stat().st_size < 8192


def cut_off_in_between(path: Path) -> JournalFile:
    """Leave a journal of an earlier release as its rotation did when it was killed between its two renames."""
    journal = JournalFile(path)
    path.rename(journal.former)
    return journal


def test_what_an_earlier_release_left_in_the_former_file_alone_counts(tmp_path: Path) -> None:
    write(JournalFile(tmp_path / "lab.journal"), OWED, ended("a"))
    journal = cut_off_in_between(tmp_path / "lab.journal")
    assert journal_state(journal.records()).policies == {"1": OWED}
    anew = JournalFile(journal.path, limit=1)
    write(anew, *[ended(str(number)) for number in range(20)])
    assert journal_state(journal.records()).policies == {"1": OWED}
    assert [one.switch for one in journal_state(journal.history()).ended] == ["a", *map(str, range(20))]


def test_where_there_is_no_room_to_begin_anew_the_record_is_still_written(tmp_path: Path) -> None:
    class NoRoom(RealDisk):
        def replace(self, path: Path, contents: bytes) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    journal = JournalFile(tmp_path / "lab.journal", NoRoom(), limit=1)
    write(journal, *[ended(str(number)) for number in range(20)])
    assert len(journal_state(journal.records()).ended) == 20


def test_what_lies_in_place_of_the_former_file_hinders_no_record(tmp_path: Path) -> None:
    journal = JournalFile(tmp_path / "lab.journal", limit=1)
    journal.former.symlink_to("/etc/hostname")
    journal.path.write_text("")
    write(JournalFile(journal.path, limit=10**9), *[ended(str(number)) for number in range(20)])
    write(journal, Held(holds=(HOLD,)))
    assert b'"kind":"held"' in journal.path.read_bytes()


def test_those_who_write_while_the_journal_begins_anew_lose_nothing(tmp_path: Path) -> None:
    def writing(name: str) -> None:
        mine = JournalFile(tmp_path / "lab.journal", limit=2048)
        write(mine, *[Policy(container=f"{name}{number}", service="omni", policy="always") for number in range(60)])

    threads = [Thread(target=writing, args=(name,)) for name in "abcd"]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    owed = journal_state(JournalFile(tmp_path / "lab.journal").records()).policies
    assert owed.keys() == {f"{name}{number}" for name in "abcd" for number in range(60)}


def test_the_same_refusal_is_the_same_whatever_its_figures() -> None:
    assert refusal("ann", "training", "15.2 GB are free") == refusal("ann", "training", "9.87 GB are free")
    assert refusal("ann", "training", "held by bob") != refusal("ann", "training", "held by eve")
    refused = ended("a").model_copy(update={"outcome": "refused", "note": "15.2 GB are free", "state": None})
    text = [ended("b").model_dump(mode="json"), refused.model_dump(mode="json")]
    assert journal_state(text).refused == {refusal("ann", "training", "9.9 GB are free")}
    assert journal_state([*text, ended("c").model_dump(mode="json")]).refused == set()


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
    with pytest.raises(JournalFailed, match="and no file"):
        journal.records()


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
