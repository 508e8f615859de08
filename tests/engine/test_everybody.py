"""Everybody acts at once: two sides that others start together don't run so for long; spark-mode alone never does that."""

import os
import signal
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.deep import DEEP, deep
from tests.engine.conftest import PROJECT
from tests.engine.diary import Diary, Heard
from tests.engine.everybody import END_SECONDS, Everybody, by_compose, by_hand, switch
from tests.engine.lab import Lab, interrupt, until
from tests.engine.outside import lab_in_folder
from tests.engine.witness import Witness

SECONDS = float(os.environ.get("SPARK_MODE_EVERYBODY_SECONDS", "600" if DEEP else "3"))
SEED = int(os.environ.get("SPARK_MODE_EVERYBODY_SEED", "1"))
pytestmark = [pytest.mark.alone] if DEEP else []
"""How fast two sides are ended is told by histories that nothing else runs beside."""
MEDIAN_SECONDS, LONGEST_SECONDS = 0.4, 3.0
GRACE_SECONDS = 3.0
"""What a stand-in of audio has to end."""
TOLD_SECONDS, BEFORE_SECONDS = 2.0, 4.0
"""Of an interval that is longer the diary is shown, from so long before it."""
STARTS = 5 if DEEP else 3
"""Fewer say nothing: so many are waited for."""
KILLED = (None, signal.SIGKILL)
HELD_UP = (None, None, signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP, signal.SIGINT)


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Lab]:
    """A lab in a folder of its own with its gate in place and nothing running, and a guard that never leaves it to a fight."""
    lab = lab_in_folder(PROJECT, tmp_path)
    rules = lab.folder / "rules.yaml"
    rules.write_text(f"{rules.read_text()}guard: {{patience: 1000000}}\n")
    lab.down()
    lab.run("gate", "install")
    yield lab
    lab.down()


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], object]:
    """What says how long it was: of the long histories for everybody to see."""

    def said(text: str) -> None:
        with capsys.disabled() if DEEP else nullcontext():
            sys.stderr.write(text)

    return said


def test_two_sides_that_others_start_together_are_ended_at_once_whatever_anybody_does(
    apart: Lab, tell: Callable[[str], object]
) -> None:
    apart.run("audio", "omni")
    apart.run("training", "--yes")
    with Diary(apart) as diary, Witness(PROJECT) as witness:
        guard = Heard(diary, "guard", apart.spawn("guard"))
        until(lambda: guard.said.startswith("guarding"))
        switches = (switch(apart, diary, name, HELD_UP) for name in ("switch 1", "switch 2"))
        hands = (by_hand(apart, diary, name) for name in ("hand 1", "hand 2"))
        Everybody(SECONDS, SEED, (*switches, *hands, by_compose(apart, diary, "compose")), lambda: witness.starts >= STARTS).act()
        until(lambda: "training" not in (running := set(apart.running())) or running == {"training"})
        interrupt(guard.process)
        assert guard.ended(END_SECONDS)
    assert "Traceback" not in guard.said, guard.said
    assert "unexpected" not in guard.said, guard.said
    found = [((end - begin) / 1e9, diary.lock_share(begin, end)) for begin, end in witness.overlaps]
    seconds = [one for one, _ in found]
    total = sum(seconds)
    held = sum(one * share for one, share in found) / total if total else 0.0
    median, longest = (statistics.median(seconds), max(seconds)) if seconds else (0.0, 0.0)
    (apart.folder / "diary").write_text(diary.of())
    tell(
        f"\n{SECONDS:g} s, seed {SEED}, {witness.starts} starts: two sides {len(found)} times, {total:.1f} s in all; "
        f"median {median:.2f} s, longest {longest:.2f} s, {held:.0%} of it while a switch held the lock; "
        f"who did what: {apart.folder / 'diary'}\n"
    )
    long = [(begin, end) for begin, end in witness.overlaps if (end - begin) / 1e9 > TOLD_SECONDS]
    for begin, end in long:
        told = diary.of(begin - BEFORE_SECONDS * 1e9, end)
        tell(f"\n{(end - begin) / 1e9:.2f} s, from {BEFORE_SECONDS:g} s before:\n{told}\n")
    assert longest <= LONGEST_SECONDS + GRACE_SECONDS, sorted(seconds)
    assert median <= MEDIAN_SECONDS or not DEEP, sorted(seconds)


@deep
def test_where_only_spark_mode_acts_no_two_sides_ever_run_together_whatever_is_killed(
    apart: Lab, tell: Callable[[str], object]
) -> None:
    with Diary(apart) as diary, Witness(PROJECT) as witness:
        switches = tuple(switch(apart, diary, f"switch {number}", KILLED) for number in (1, 2, 3))
        Everybody(SECONDS, SEED, switches, lambda: witness.starts >= STARTS).act()
    tell(f"\n{SECONDS:g} s, seed {SEED}, {witness.starts} starts by spark-mode alone: {witness.overlaps}\n")
    told = [diary.of(begin - BEFORE_SECONDS * 1e9, end) for begin, end in witness.overlaps]
    assert told == [], "\n\n".join(told)
