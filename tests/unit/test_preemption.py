"""What stops for a request, and why: as little as the rules and the mode allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_mode.errors import UsageFault
from spark_mode.lab.project import Project
from spark_mode.lab.service import Dependency
from spark_mode.planning.mode import current_mode, known_models, violations
from spark_mode.planning.plan import Plan, Start, Stop
from spark_mode.planning.planner import plan
from tests.audio_lab import CAPACITY, PROJECT, RULES, SPEECH, request, seen

ALONE = "training runs alone: it saturates the SMs and inference stalls"
ONE = "one speech model at a time: more only waste memory"
MODES = (*(f"audio {name}" for name in SPEECH), "training")

STATES = [f"{name}{state}" for name in PROJECT.services for state in ("", "/paused", "/restarting", "/exited", "/unknown")]
MODELS = [name for name, workload in RULES.workloads.items() if workload.model]
LINES = [
    *MODES,
    "up whisper",
    "up ollama",
    "up llama3.1:70b",
    "up devstral whisper",
    "stop",
    "stop whisper",
    "audio f5 --with devstral",
]


def active_in(mode: str) -> tuple[str, ...]:
    """Return the services of a mode."""
    profile = mode.rpartition(" ")[2]
    return PROJECT.closure(PROJECT.of_profile(profile))


def planned(line: str, *active: str, models: tuple[str, ...] = (), project: Project = PROJECT) -> Plan:
    return plan(request(line), project, RULES, seen(*active, models=models), CAPACITY)


def stops(made: Plan) -> dict[str, str]:
    assert made.refusal is None
    return {step.subject: step.cause for step in made.steps if isinstance(step, Stop)}


def starts(made: Plan) -> set[str]:
    return {step.subject for step in made.steps if isinstance(step, Start)}


@pytest.mark.parametrize("new", MODES)
def test_between_two_modes_only_the_difference_is_touched(new: str) -> None:
    for old in (mode for mode in MODES if mode != new):
        models = ("llama3.1:8b",) if "ollama" in active_in(old) else ()
        made = planned(new, *active_in(old), models=models)
        assert set(stops(made)) == set(active_in(old)) - set(active_in(new)), old
        assert starts(made) == set(active_in(new)) - set(active_in(old)), old
        assert made.keep == (), old
        assert {one.name for one in made.preemptions or ()} == set(stops(made)), old
        assert current_mode(seen(*active_in(new)), PROJECT, RULES) == made.mode == new, old


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_that_is_on_is_left_alone_and_that_is_said(mode: str) -> None:
    made = planned(mode, *active_in(mode))
    assert made.steps == ()
    assert str(made).startswith(f"nothing to do: {', '.join(made.target)} run")


@pytest.mark.parametrize(
    ("line", "active", "models", "causes"),
    [
        (
            "training",
            ("chatterbox", "whisper", "ollama"),
            ("llama3.1:8b",),
            {"chatterbox": ALONE, "whisper": ALONE, "ollama": f"serves llama3.1:8b, and {ALONE}"},
        ),
        (
            "training",
            ("ollama",),
            (),
            {"ollama": f"serves llama3.1:8b, llama3.1:70b, devstral, coder32b, llama3.1:70b-fp16, and {ALONE}"},
        ),
        ("audio omni", ("training",), (), {"training": ALONE}),
        ("up ollama", ("training",), (), {"training": ALONE}),
        ("up devstral", ("training",), (), {"training": "training runs alone: both need the SMs without a pause"}),
        (
            "audio omni",
            ("chatterbox", "whisper", "ollama"),
            ("llama3.1:8b",),
            {"chatterbox": ONE, "whisper": "audio omni does not need it", "ollama": "audio omni does not need it"},
        ),
        ("audio xtts", ("chatterbox", "whisper", "ollama"), ("llama3.1:8b",), {"chatterbox": ONE}),
        ("audio omni", ("chatterbox", "whisper", "ollama"), ("llama3.1:8b", "devstral"), {
            "chatterbox": ONE, "whisper": "audio omni does not need it",
        }),
        ("audio omni", ("ollama",), ("devstral",), {}),
        ("up f5", ("omni",), (), {"omni": ONE}),
        ("up whisper", ("omni",), (), {}),
        ("stop", ("whisper", "ollama"), ("llama3.1:8b",), {"whisper": "requested", "ollama": "requested"}),
        ("stop whisper", ("omni", "whisper"), (), {"whisper": "requested"}),
        ("stop chatterbox", ("chatterbox", "whisper", "ollama"), (), {"chatterbox": "requested"}),
        ("stop xtts", ("omni",), (), {}),
        ("stop tetris", ("training:large",), (), {"training": "requested"}),
    ],
)  # fmt: skip
def test_what_stops_stops_for_this(line: str, active: tuple[str, ...], models: tuple[str, ...], causes: dict[str, str]) -> None:
    assert stops(planned(line, *active, models=models)) == causes


def test_a_preemption_names_its_rule_and_a_stop_that_was_asked_for_is_none() -> None:
    made = planned("audio omni", "chatterbox", "whisper")
    assert [(one.name, one.reason, one.rule) for one in made.preemptions or ()] == [
        ("whisper", "mode", None),
        ("chatterbox", "exclusive", "one-speech-model"),
    ]
    assert planned("stop", "omni").preemptions == ()


def test_what_something_that_stays_depends_on_stays() -> None:
    services = dict(PROJECT.services)
    services["omni"] = services["omni"].model_copy(update={"depends_on": {"whisper": Dependency()}})
    project = PROJECT.model_copy(update={"services": services})
    assert "whisper" not in stops(planned("audio omni", "xtts", "whisper", project=project))
    refused = planned("stop whisper", "omni", "whisper", project=project).refusal
    assert refused is not None
    assert refused.message == "omni depends on whisper"
    assert stops(planned("stop whisper --alone", "omni", "whisper", project=project)) == {"whisper": "requested"}


def test_training_that_stops_is_told_apart() -> None:
    made = planned("audio omni", "training")
    assert [(one.name, one.since) for one in made.stops_training] == [("training", "2026-01-01T00:00:00Z")]
    assert [step.training for step in made.steps if isinstance(step, Stop)] == [True]
    assert planned("training", "omni").stops_training == ()


def test_another_variant_replaces_the_one_that_runs_and_counts_its_memory_as_coming_back() -> None:
    lack = seen("training", available=24 * 10**9)
    made = plan(request("training:large"), PROJECT, RULES, lack, CAPACITY)
    assert made.refusal is None
    assert [step.action for step in made.steps] == ["stop", "create", "await-release", "start", "verify"]
    assert planned("training:large", "training:large").steps == ()
    assert planned("training", "training:large").steps == ()


@pytest.mark.parametrize(
    ("name", "message"), [("wisper", 'unknown name "wisper"; did you mean'), ("training:huge", "unknown variant")]
)
def test_what_cannot_be_stopped_is_a_usage_fault(name: str, message: str) -> None:
    with pytest.raises(UsageFault, match=message):
        planned(f"stop {name}", "ollama")


@given(
    st.lists(st.sampled_from(STATES), unique_by=lambda one: one.partition("/")[0], max_size=8),
    st.lists(st.sampled_from(MODELS), unique=True),
    st.sampled_from(LINES),
    st.booleans(),
)
def test_nothing_is_ever_started_beside_what_a_rule_excludes(there: list[str], models: list[str], line: str, force: bool) -> None:
    before = seen(*there, available=CAPACITY, networks={})
    before = before.model_copy(update={"models": known_models(before, PROJECT, RULES, tuple(models))})
    made = plan(request(line, force=force), PROJECT, RULES, before, CAPACITY)
    if made.refusal:
        assert made.steps == ()
        return
    order = [step.action.replace("unpause", "start") for step in made.steps]
    assert order == sorted(order, key=["create", "stop", "unload", "await-release", "start", "load", "verify"].index)
    gone = {step.service for step in made.steps if isinstance(step, Stop)}
    assert not gone & set(made.target)
    kept = set(before.active_services) - gone
    after = seen(*(kept | starts(made)))
    if kept | set(made.target) and not line.startswith("stop"):
        assert not [one for one in violations(after, RULES) if {one.one.name, one.other.name} & set(made.target)]
        assert set(made.target) <= set(after.active_services)
    if line.startswith(("audio", "training")) and "--with" not in line:
        assert current_mode(after, PROJECT, RULES) == made.mode
    assert made == plan(request(line, force=force), PROJECT, RULES, before, CAPACITY)
    if not made.steps:
        assert made.nothing_to_do
