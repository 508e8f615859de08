"""When memory runs out, and who goes then."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.service import Dependency, Service
from spark_mode.lab.size import GB
from spark_mode.planning.observed import Hold, LoadedModel, Observed
from spark_mode.planning.pressure import AHEAD_SECONDS, Releases, Sample, memory_victims, shortfall, trend
from tests.audio_lab import PROJECT, RULES, container, seen
from tests.deep import DEEP

FLOOR, HEADROOM = RULES.limits.floor, RULES.limits.headroom


def falling(start: float, rate: float, seconds: float = 4.0) -> list[Sample]:
    """Return samples, two a second, of memory that changes by so many bytes a second and ends at `start`."""
    count = int(seconds * 2)
    return [Sample(at=number / 2, available=int(start - rate * (count - number) / 2)) for number in range(count + 1)]


@pytest.mark.parametrize(
    ("samples", "pressing"),
    [
        ([], False),
        ([Sample(0, FLOOR // 2)], False),
        (falling(FLOOR - 1, 0), True),
        (falling(FLOOR + 1, 0), False),
        (falling(FLOOR + GB, -GB), True),
        (falling(FLOOR + GB, +GB), False),
        (falling(HEADROOM + GB, -50 * GB), False),
        (falling(HEADROOM - GB, -(HEADROOM - FLOOR) / AHEAD_SECONDS / 2), False),
        (falling(FLOOR + GB, -GB, seconds=0.5), False),
        ([*falling(HEADROOM + GB, 0), Sample(4.25, FLOOR // 2)], False),
        ([*falling(HEADROOM - GB, 0), Sample(4.25, FLOOR - 1)], False),
        ([*falling(HEADROOM - GB, 0), Sample(4.25, FLOOR - 1), Sample(4.5, FLOOR - 1)], True),
        ([*falling(HEADROOM + 10 * GB, 0), Sample(4.25, FLOOR + GB), Sample(4.5, FLOOR + GB)], False),
    ],
    ids=[
        *("unknown", "a first sample", "under", "calm", "soon under", "rising", "a model loads", "slow", "too short to tell"),
        *("one low sample", "one under the floor", "two under the floor", "a model was loaded"),
    ],
)
def test_memory_presses_under_the_floor_or_when_the_trend_leads_there(samples: list[Sample], pressing: bool) -> None:
    assert (shortfall(samples, RULES) > 0) is pressing


@settings(max_examples=100 if DEEP else 40)
@given(st.floats(1e6, 1e10), st.floats(0, 60))
def test_a_steady_loss_is_seen_at_least_eight_seconds_before_the_floor(rate: float, headstart: float) -> None:
    start = HEADROOM + headstart * rate
    samples: list[Sample] = []
    for tick in range(4000):
        at, available = tick / 2, start - rate * tick / 2
        samples = [*samples[-64:], Sample(at, int(available))]
        if shortfall(samples, RULES):
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


def test_the_deepest_fall_alone_is_no_trend() -> None:
    assert trend([*falling(50 * GB, 0), Sample(4.5, 10 * GB)]) == 0
    assert trend([*falling(50 * GB, -2 * GB), Sample(4.5, 10 * GB)]) == pytest.approx(-2 * GB)


def test_what_is_to_come_is_missing_no_more_but_counts_for_half_the_floor_at_most() -> None:
    samples = falling(FLOOR - 3 * GB, 0)
    assert shortfall(samples, RULES) == 3 * GB
    assert shortfall(samples, RULES, to_come=2 * GB) == GB
    assert shortfall(samples, RULES, to_come=3 * GB) == 0
    assert shortfall(falling(FLOOR // 2 - 1, 0), RULES, to_come=100 * GB) == 1


def releases(*available: int) -> Releases:
    """Return 3 GB that were promised when the first of these bytes were available, and the others followed."""
    made = Releases()
    made.saw(Sample(0, available[0]))
    made.promise("omni", 3 * GB)
    for at, one in enumerate(available[1:]):
        made.saw(Sample(at + 1, one))
    return made


@pytest.mark.parametrize(
    ("available", "left"),
    [
        ((10 * GB,), 3 * GB),
        ((10 * GB, 13 * GB), 0),
        ((10 * GB, 11 * GB, 12 * GB), GB),
        ((10 * GB, 11 * GB, 10 * GB, 11 * GB), 2 * GB),
        ((10 * GB, 5 * GB, 8 * GB), 0),
        ((10 * GB, 15 * GB), 0),
    ],
    ids=["nothing yet", "all of it", "by and by", "up and down counts once", "others take meanwhile", "others give, too"],
)
def test_memory_that_came_back_is_no_longer_to_come(available: tuple[int, ...], left: int) -> None:
    assert releases(*available).to_come == left


def test_memory_is_expected_through_a_grace_and_then_for_its_time() -> None:
    made = releases(10 * GB)
    made.saw(Sample(1000, 10 * GB))
    assert made.to_come == 3 * GB
    made.ended("omni", 1120)
    made.promise("whisper", GB)
    made.saw(Sample(1119, 10 * GB))
    assert made.to_come == 4 * GB
    made.saw(Sample(1120, 10 * GB))
    assert made.to_come == GB


def running(*names: str, **more: object) -> Observed:
    return seen().model_copy(update={"containers": tuple(container(name) for name in names), "models": (), **more})


def go(observed: Observed, missing: int = GB, project: Project = PROJECT, rules: Rules = RULES, **more: object) -> list[str]:
    """Return who goes, in order."""
    going = more.get("going", ())
    assert isinstance(going, tuple)
    return [one.service for one in memory_victims(observed, project, rules, missing, going)]


def prioritised(**priorities: int) -> Rules:
    """Return the rules with these priorities."""
    changed = {name: RULES.workloads[name].model_copy(update={"priority": priority}) for name, priority in priorities.items()}
    return RULES.model_copy(update={"workloads": RULES.workloads | changed})


def depending(service: str, *on: str) -> Project:
    """Return the project with a service that needs others."""
    known = PROJECT.services.get(service, Service(name=service))
    changed = known.model_copy(update={"depends_on": {name: Dependency() for name in on}})
    return PROJECT.model_copy(update={"services": {**PROJECT.services, service: changed}})


def test_the_lowest_priority_goes_first_and_training_last() -> None:
    assert go(running("omni", "whisper"), rules=prioritised(omni=10)) == ["omni"]
    assert go(running("omni", "whisper")) == ["whisper"], "it is back sooner"
    assert go(running("whisper", "training"), rules=prioritised(training=0)) == ["whisper"]
    assert go(running("training")) == ["training"]
    assert go(running()) == []


def test_what_frees_enough_goes_before_what_does_not() -> None:
    assert go(running("omni", "whisper"), missing=5 * GB, rules=prioritised(whisper=10)) == ["omni"]
    assert go(running("omni", "whisper"), missing=50 * GB, rules=prioritised(whisper=10)) == ["whisper"]


def test_what_somebody_holds_goes_after_what_nobody_holds_and_before_training() -> None:
    hold = Hold(request="up", by="ann", since="now", services=("whisper",), containers=("id of whisper",))
    assert go(running("omni", "whisper", held=(hold,))) == ["omni"]
    assert go(running("training", "whisper", held=(hold,))) == ["whisper"]


def test_what_others_need_goes_together_with_them_and_after_them() -> None:
    project = depending("xtts", "whisper")
    assert go(running("xtts", "whisper"), missing=GB, project=project) == ["xtts"], "it is enough"
    assert go(running("xtts", "whisper"), missing=3 * GB, project=project) == ["xtts", "whisper"]
    first, last = memory_victims(running("xtts", "whisper"), project, RULES, 3 * GB, ())
    assert (first.because_of, last.because_of) == ("whisper", None)


def test_a_page_that_needs_everything_is_not_the_first_to_go() -> None:
    project = depending("page", "omni", "whisper")
    small = RULES.workloads["whisper"].footprint.model_copy(update={"planned": GB // 10})
    for rules in (RULES, RULES.model_copy(update={"default_footprint": small})):
        found = go(running("omni", "whisper", "page"), missing=GB // 20, project=project, rules=rules)
        assert found == ["page", "whisper"], "it goes with what it needs"
        assert go(running("page"), project=project, rules=rules) == ["page"]


def test_what_needs_something_that_is_held_or_training_protects_nobody() -> None:
    project = depending("page", "training", "whisper")
    assert go(running("training", "whisper", "page"), project=project)[-1] == "whisper"


def test_a_model_host_goes_by_what_its_models_take_and_never_without_any() -> None:
    low = min((one for one in RULES.workloads.values() if one.model), key=lambda one: one.priority)
    loaded = {"ollama": (LoadedModel(host="ollama", model=low.model or "", size=30 * GB, workload=low.name),)}
    assert go(running("omni", "ollama", models=(low.name,), loaded=loaded)) == ["ollama"]
    assert go(running("omni", "ollama", models=(low.name,), loaded=loaded), missing=31 * GB) == ["ollama"]
    assert go(running("omni", "ollama", models=(low.name,), loaded={"ollama": None})) == ["ollama"]
    assert go(running("omni", "ollama", models=(low.name,), loaded={"ollama": ()})) == ["omni"]
    assert go(running("ollama")) == []


def test_what_is_being_stopped_is_not_stopped_again() -> None:
    assert go(running("omni", "whisper"), going=("whisper",)) == ["omni"]
    assert go(running("whisper"), going=("whisper",)) == []
