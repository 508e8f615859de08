"""One lab under two project names on one machine: whatever is asked or killed under either, both sides never meet."""

import os
import tempfile
from contextlib import suppress
from itertools import permutations, product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_mode.errors import Refused, SparkModeError
from spark_mode.planning.request import ModeRequest, Request, StopRequest
from spark_mode.sharing.leases import Lease
from spark_mode.sharing.lock import switch_lock
from spark_mode.sharing.process import process_began
from tests.deep import DEEP
from tests.nobody import Nobody
from tests.simulation.engine import LATE_SECONDS, WHEN, Killed, When
from tests.simulation.lab import HELPED, REQUESTS, SimulatedSession, ask, recover, two_names
from tests.simulation.machine import SimulatedMachine

AUDIO = [ModeRequest(mode="audio", profile=name) for name in ("omni", *HELPED)]
TRAINING = [ModeRequest(mode="training"), ModeRequest(mode="training", variant="large")]


EXCLUDED = [*product(AUDIO, TRAINING), *product(TRAINING, AUDIO), *permutations(AUDIO, 2), *product(TRAINING, TRAINING)]


@pytest.mark.parametrize(("first", "then"), EXCLUDED if DEEP else EXCLUDED[::3], ids=str)
def test_what_excludes_what_runs_under_another_name_is_refused_and_touches_nothing(
    first: Request, then: Request, tmp_path: Path
) -> None:
    aa, bb = two_names()
    ask(aa, tmp_path, first)
    before = aa.running()
    with pytest.raises(Refused, match="of the project aa is running") as refused:
        ask(bb, tmp_path, then)
    assert refused.value.hint
    assert "docker stop aa-" in refused.value.hint
    assert bb.acts == []
    ask(bb, tmp_path, StopRequest())
    assert aa.running() == before
    ask(aa, tmp_path, StopRequest())
    ask(bb, tmp_path, then)
    assert bb.running() != {}


FAULTS = (None, *WHEN, "compose", "crash", "engine")
ATTEMPTS = st.tuples(st.booleans(), st.sampled_from([None, *REQUESTS]), st.integers(0, 40), st.sampled_from(FAULTS))


@settings(max_examples=100 if DEEP else 30)
@given(st.lists(ATTEMPTS, min_size=2, max_size=8))
def test_both_sides_never_meet_whatever_is_asked_killed_and_recovered_under_two_names(
    attempts: list[tuple[bool, Request | None, int, str | None]],
) -> None:
    names = two_names()
    with tempfile.TemporaryDirectory() as folder:
        for second, request, index, fault in attempts:
            one = names[second]
            one.kill_at = next(((one.effects + index, when) for when in WHEN if when == fault), None)
            if fault and not one.kill_at:
                one.fail_at, one.fault = len(one.acts) + index, fault
            with suppress(Killed, SparkModeError):
                ask(one, Path(folder), request) if request else recover(one, Path(folder))
            one.kill_at, one.fail_at, one.engine_answers = None, None, True
            assert sides(*names) != {"audio", "training"}
        assert [wrong for one in names for wrong in one.wrongs] == []


MOMENTS: tuple[When, ...] = WHEN if DEEP else WHEN[::2]
"""After an effect is before the next one. `make test` tries one of the others at each effect, in turn."""
CHANGES = [(StopRequest(), AUDIO[0]), (AUDIO[0], TRAINING[0]), (TRAINING[0], AUDIO[0])]


@pytest.mark.parametrize("then", [AUDIO[0], TRAINING[0]], ids=str)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change[0]} to {change[1]}")
def test_a_switch_that_is_killed_and_one_under_another_name_never_meet_and_a_recovery_ends(
    change: tuple[Request, Request], then: Request, tmp_path: Path
) -> None:
    first, second = two_names()
    ask(first, tmp_path, change[0])
    kills = [(effect, when) for effect in range(60) for when in (MOMENTS if DEEP else (MOMENTS[effect % 2],))]
    for effect, when in kills:
        aa, bb = first.fork(), second.fork()
        aa.neighbours, bb.neighbours = (bb,), (aa,)
        aa.kill_at = (aa.effects + effect, when)
        try:
            ask(aa, tmp_path, change[1])
        except Killed:
            aa.kill_at = None
        else:
            assert effect > 5
            return
        with suppress(Refused):
            ask(bb, tmp_path, then)
        bb.sleep(LATE_SECONDS)
        assert sides(aa, bb) != {"audio", "training"}, f"killed at effect {effect}"
        running = bb.running()
        recover(aa, tmp_path)
        assert recover(aa, tmp_path).outcome == "unchanged"
        assert bb.running() == running
        assert sides(aa, bb) != {"audio", "training"}, f"killed at effect {effect}, and recovered"
        assert aa.wrongs == bb.wrongs == []
    raise AssertionError("the switch has more effects than were tried")


def test_one_lock_keeps_out_a_switch_under_another_name(tmp_path: Path) -> None:
    aa, bb = two_names()
    with switch_lock(tmp_path, "audio omni", 0.0, Nobody().waiting, aa), pytest.raises(SparkModeError, match="audio omni"):
        ask(bb, tmp_path, ModeRequest(mode="training"))


def test_what_plain_compose_was_allowed_to_start_under_another_name_counts_until_it_has_started(tmp_path: Path) -> None:
    aa, bb = two_names()
    mine = os.getpid()
    leases = SimulatedSession(aa, tmp_path).leases
    leases.add(Lease.give("omni", "aa", mine, process_began(mine) or 0, "ann", ()))
    with pytest.raises(Refused, match='"omni" of the project aa is about to start: training runs alone') as refused:
        ask(bb, tmp_path, TRAINING[0])
    assert refused.value.hint == "it is about to start; see who starts it: spark-mode -p aa status"
    aa.put("omni", "running")
    with pytest.raises(Refused, match='"aa-omni-1" of the project aa is running'):
        ask(bb, tmp_path, TRAINING[0])
    aa.outside_stop("omni")
    ask(bb, tmp_path, TRAINING[0])


def sides(*names: SimulatedMachine) -> set[str]:
    """Return the classes of what runs under any name."""
    return {one.class_ for name in names for service in name.running() if (one := name.rules.of_service(service))}
