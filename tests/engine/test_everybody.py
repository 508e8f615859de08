"""Everybody acts at once: two sides that others start together don't run so for long; spark-mode alone never does that."""

import os
import signal
import statistics
import sys
import time

from tests.engine.conftest import PROJECT
from tests.engine.everybody import Everybody, LockSampler, by_compose, by_hand, switch
from tests.engine.guarding import Guarding
from tests.engine.lab import Lab, until
from tests.engine.witness import Witness

DEEP = os.environ.get("SPARK_MODE_DEEP") == "1"
SECONDS = float(os.environ.get("SPARK_MODE_EVERYBODY_SECONDS", "600" if DEEP else "30"))
SEED = int(os.environ.get("SPARK_MODE_EVERYBODY_SEED", "1"))
MEDIAN_SECONDS, LONGEST_SECONDS = 0.4, 3.0
GRACE_SECONDS = 3.0
"""What a stand-in of audio has to end."""
GUARD_LIVES_SECONDS = 15.0
"""How long a guard runs before it is restarted: what somebody starts again and again it leaves to him, after five stops."""
KILLED = (None, signal.SIGKILL)
HELD_UP = (None, None, signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP, signal.SIGINT)


def test_two_sides_that_others_start_together_are_ended_at_once_whatever_anybody_does(gated: Lab) -> None:
    gated.run("audio", "omni")
    gated.run("training", "--yes")
    guard = Guarding(gated)
    actors = (switch(gated, HELD_UP), switch(gated, HELD_UP), by_hand(gated), by_hand(gated), by_compose(gated))
    with Witness(PROJECT) as witness, LockSampler(gated.state_folder) as lock:
        deadline, unguarded = time.monotonic() + SECONDS, list[tuple[float, float]]()
        with Everybody(SECONDS, SEED, actors):
            while (left := deadline - time.monotonic()) > 0:
                time.sleep(min(left, GUARD_LIVES_SECONDS))
                begun = time.time_ns()
                guard.end()
                guard.restart()
                unguarded.append((begun, time.time_ns()))
        until(lambda: "training" not in (running := set(gated.running())) or running == {"training"})
    guard.end()
    every = witness.overlaps
    guarded = [(begin, end) for begin, end in every if not any(begin < to and since < end for since, to in unguarded)]
    found = [((end - begin) / 1e9, lock.share(begin, end)) for begin, end in guarded]
    seconds = [one for one, _ in found]
    total = sum(seconds)
    held = sum(one * share for one, share in found) / total if total else 0.0
    median, longest = (statistics.median(seconds), max(seconds)) if seconds else (0.0, 0.0)
    sys.stderr.write(
        f"\n{SECONDS:g} s, seed {SEED}, {witness.starts} starts: two sides {len(found)} times, {total:.1f} s in all, "
        f"and {len(every) - len(found)} times while the guard was restarted; "
        f"median {median:.2f} s, longest {longest:.2f} s, {held:.0%} of it while a switch held the lock\n"
    )
    assert witness.starts > SECONDS / 10, "nobody acted"
    assert longest <= LONGEST_SECONDS + GRACE_SECONDS, sorted(seconds)
    assert median <= MEDIAN_SECONDS or not DEEP, sorted(seconds)


def test_where_only_spark_mode_acts_no_two_sides_ever_run_together_whatever_is_killed(gated: Lab) -> None:
    with Witness(PROJECT) as witness, Everybody(SECONDS, SEED, (switch(gated, KILLED),) * 3):
        pass
    sys.stderr.write(f"\n{SECONDS:g} s, seed {SEED}, {witness.starts} starts by spark-mode alone: {witness.overlaps}\n")
    assert witness.starts > SECONDS / 10, "nobody acted"
    assert witness.overlaps == []
