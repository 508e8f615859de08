"""When memory runs out, and who goes then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from composer.lab.project import Dependency
from composer.lab.size import GB
from composer.planning.observed import Hold, Observed
from composer.planning.pressure import AHEAD_SECONDS, Sample, first_to_go, is_pressing, trend
from tests.audio_lab import PROJECT, RULES, container, seen

FLOOR, HEADROOM = RULES.limits.floor, RULES.limits.headroom


def falling(start: float, rate: float, seconds: float = 4.0) -> list[Sample]:
    """Return samples, two a second, of memory that changes by so many bytes a second and ends at `start`."""
    count = int(seconds * 2)
    return [Sample(at=number / 2, available=int(start - rate * (count - number) / 2)) for number in range(count + 1)]


@pytest.mark.parametrize(
    ("samples", "pressing"),
    [
        ([], False),
        (falling(FLOOR - 1, 0), True),
        (falling(FLOOR + 1, 0), False),
        (falling(FLOOR + GB, -GB), True),
        (falling(FLOOR + GB, +GB), False),
        (falling(HEADROOM + GB, -50 * GB), False),
        (falling(HEADROOM - GB, -(HEADROOM - FLOOR) / AHEAD_SECONDS / 2), False),
        (falling(FLOOR + GB, -GB, seconds=0.5), False),
    ],
    ids=["unknown", "under", "calm", "soon under", "rising", "a model loads", "slow", "too short to tell"],
)
def test_memory_presses_under_the_floor_or_when_the_trend_leads_there(samples: list[Sample], pressing: bool) -> None:
    assert is_pressing(samples, RULES) is pressing


@given(st.floats(1e6, 1e10), st.floats(0, 60))
def test_a_steady_loss_is_seen_at_least_eight_seconds_before_the_floor(rate: float, headstart: float) -> None:
    start = HEADROOM + headstart * rate
    samples: list[Sample] = []
    for tick in range(4000):
        at, available = tick / 2, start - rate * tick / 2
        samples = [*samples[-64:], Sample(at, int(available))]
        if is_pressing(samples, RULES):
            left = (available - FLOOR) / rate
            assert left >= min(AHEAD_SECONDS - 2, (HEADROOM - FLOOR) / rate - 2)
            return
        if available < FLOOR:
            raise AssertionError("the floor was crossed unseen")


def test_the_trend_is_that_of_the_last_seconds() -> None:
    assert trend(falling(50 * GB, -2 * GB)) == pytest.approx(-2 * GB)
    assert trend([]) == 0
    old = [Sample(-100, 10**12), *falling(50 * GB, 0)]
    assert trend(old) == 0


def running(*names: str, **more: object) -> Observed:
    return seen().model_copy(update={"containers": tuple(container(name) for name in names), "models": (), **more})


def first(observed: Observed) -> str | None:
    found = first_to_go(observed, PROJECT, RULES)
    return found[0] if found else None


def test_the_lowest_priority_goes_first_and_training_last() -> None:
    priorities = {name: (RULES.workloads[name].priority, RULES.workloads[name].load_seconds) for name in ("omni", "whisper")}
    assert first(running("omni", "whisper", "training")) == min(priorities, key=lambda name: priorities[name])
    assert first(running("training")) == "training"
    assert first(running()) is None


def test_what_somebody_holds_goes_after_what_nobody_holds() -> None:
    lowest = first(running("omni", "whisper"))
    assert lowest is not None
    hold = Hold(request="up", by="ann", since="now", services=(lowest,), containers=(f"id of {lowest}",))
    assert first(running("omni", "whisper", held=(hold,))) not in (None, lowest)


def test_what_others_depend_on_goes_after_them() -> None:
    xtts = PROJECT.services["xtts"].model_copy(update={"depends_on": {"whisper": Dependency()}})
    project = PROJECT.model_copy(update={"services": {**PROJECT.services, "xtts": xtts}})
    found = first_to_go(running("xtts", "whisper"), project, RULES)
    assert found is not None
    assert found[0] == "xtts"


def test_a_host_goes_by_its_models_and_one_without_any_goes_last() -> None:
    assert first(running("omni", "ollama")) == "omni"
    low = min((one for one in RULES.workloads.values() if one.model), key=lambda one: one.priority)
    loaded = first(running("omni", "ollama", models=(low.name,)))
    assert loaded == ("ollama" if low.priority < RULES.workloads["omni"].priority else "omni")
