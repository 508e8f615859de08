"""The mode is what is active, whatever was asked for; and what breaks a rule is seen."""

import pytest

from spark_mode.lab.rules import Mode
from spark_mode.lab.service import Service
from spark_mode.planning.container import Container
from spark_mode.planning.mode import current_mode, known_models, violations
from spark_mode.planning.observed import Observed
from tests.audio_lab import PROJECT, ROOT, RULES, SPEECH, foreign, rules_of, seen

HELPED = SPEECH[1:]


@pytest.mark.parametrize(
    ("active", "mode"),
    [
        (("omni",), "audio omni"),
        *(((name, "whisper", "ollama"), f"audio {name}") for name in HELPED),
        (("training",), "training"),
        (("training:large",), "training"),
        ((), "idle"),
        (("ollama",), "idle"),
        (("omni/exited", "training/dead", "xtts/created"), "idle"),
        (("omni/paused",), "audio omni"),
        (("omni/restarting",), "audio omni"),
        (("omni", "ollama"), "audio omni"),
        (("omni", "whisper"), "custom"),
        (("whisper",), "custom"),
        (("whisper", "ollama"), "custom"),
        (("xtts", "whisper"), "custom"),
        (("xtts", "f5", "whisper", "ollama"), "custom"),
        (("omni", "training"), "custom"),
        (("something",), "custom"),
    ],
)
def test_a_mode_is_its_class_exactly_with_its_closure(active: tuple[str, ...], mode: str) -> None:
    assert current_mode(seen(*active), PROJECT, RULES) == mode


def test_without_an_engine_the_mode_is_unknown() -> None:
    assert current_mode(Observed(complete=False), PROJECT, RULES) == "unknown"


def test_models_of_another_class_do_not_change_the_mode() -> None:
    observed = seen("omni", "ollama", models=("devstral",))
    assert current_mode(observed, PROJECT, RULES) == "audio omni"
    assert current_mode(seen("ollama", models=("devstral",)), PROJECT, RULES) == "custom"


def test_a_container_outside_the_lab_is_not_idleness() -> None:
    assert current_mode(seen(foreign=(foreign("training", "run-7"),)), PROJECT, RULES) == "custom"


def test_a_container_of_the_project_without_a_service_is_not_idleness() -> None:
    stray = Container(id="1", name="stray", state="running")
    assert current_mode(Observed(containers=(stray,)), PROJECT, RULES) == "custom"


@pytest.mark.parametrize("active", [("omni",), ("omni", "base")])
def test_a_service_without_a_profile_does_not_change_the_mode(active: tuple[str, ...]) -> None:
    project = PROJECT.model_copy(update={"services": {**PROJECT.services, "base": Service(name="base")}})
    extended = rules_of("extends: ../rules.yaml")
    base = extended.workloads["whisper"].model_copy(update={"name": "base", "service": "base"})
    rules = extended.model_copy(update={"workloads": {**extended.workloads, "base": base}})
    assert current_mode(seen(*active), project, rules) == "audio omni"


@pytest.mark.parametrize(
    ("active", "pairs"),
    [
        (("omni",), []),
        (("chatterbox", "whisper", "ollama"), []),
        (("training",), []),
        (("omni", "training"), [("omni", "training", "training-without-audio")]),
        (("ollama", "training"), [("ollama", "training", "training-without-audio")]),
        (("omni/paused", "training/restarting"), [("omni", "training", "training-without-audio")]),
        (("omni/exited", "training"), []),
        (("f5", "omni"), [("omni", "f5", "one-speech-model")]),
    ],
)
def test_what_breaks_a_rule_is_named(active: tuple[str, ...], pairs: list[tuple[str, str, str]]) -> None:
    assert [(one.one.name, one.other.name, one.rule.name) for one in violations(seen(*active), RULES)] == pairs


def test_a_container_outside_the_lab_breaks_a_rule_too() -> None:
    found = violations(seen("omni", foreign=(foreign("training", "run-7"),)), RULES)
    assert [one.rule.name for one in found] == ["training-without-audio"]


@pytest.mark.parametrize(
    ("active", "admitted", "models"),
    [
        (("chatterbox", "whisper", "ollama"), (), ("llama3.1:8b",)),
        (("whisper", "ollama"), (), ()),
        (("whisper", "ollama"), ("llama3.1:8b",), ("llama3.1:8b",)),
        (("xtts", "whisper", "ollama"), ("devstral",), ("devstral", "llama3.1:8b")),
        (("omni",), ("devstral",), ()),
        (("ollama/exited",), ("devstral",), ()),
        (("ollama",), ("no longer in the rules",), ()),
    ],
)
def test_a_model_counts_while_its_host_is_active(
    active: tuple[str, ...], admitted: tuple[str, ...], models: tuple[str, ...]
) -> None:
    assert known_models(seen(*active), PROJECT, RULES, admitted) == models


@pytest.mark.parametrize(
    ("active", "mode"), [(("ollama",), "chat"), (("ollama", "omni"), "audio omni"), (("ollama", "xtts"), "chat"), ((), "idle")]
)
def test_a_mode_that_is_a_host_alone_is_on_with_it_where_no_other_is(active: tuple[str, ...], mode: str) -> None:
    chat = "\nmodes:\n  chat: {class: llm, services: [ollama]}\n"
    rules = rules_of((ROOT / "rules.yaml").read_text().replace("\nmodes:\n", chat))
    assert current_mode(seen(*active), PROJECT, rules) == mode


def test_the_models_that_a_mode_of_services_needs_are_active_while_it_is_on() -> None:
    chat = Mode(**{"class": "llm"}, services=("ollama",), models=("devstral",))
    rules = RULES.model_copy(update={"modes": {"chat": chat}, "profiles": {}})
    assert known_models(seen("ollama"), PROJECT, rules, ()) == ("devstral",)
    assert known_models(seen("whisper"), PROJECT, rules, ()) == ()
