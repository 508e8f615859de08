"""What a request means: services in start order, models, variants; and a name that is not known is told with the nearest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.lab.service import Service
from spark_mode.planning.request import ModeRequest, Request, RestoreRequest, UpRequest
from spark_mode.planning.resolve import resolve
from spark_mode.planning.target import Target
from tests.audio_lab import PROJECT, RULES, SPEECH, request


def meaning(line: str) -> Target:
    return resolve(request(line), PROJECT, RULES)


@pytest.mark.parametrize(
    ("line", "services", "models", "mode"),
    [
        ("audio omni", {"omni"}, (), "audio omni"),
        *((f"audio {name}", {name, "whisper", "ollama"}, ("llama3.1:8b",), f"audio {name}") for name in SPEECH[1:]),
        ("training", {"training"}, (), "training"),
        ("audio omni --with whisper", {"omni", "whisper"}, (), "audio omni"),
        ("audio omni --with devstral", {"omni", "ollama"}, ("devstral",), "audio omni"),
        ("audio f5 --with llama3.1:8b", {"f5", "whisper", "ollama"}, ("llama3.1:8b",), "audio f5"),
        ("up whisper", {"whisper"}, (), None),
        ("up xtts", {"xtts", "whisper", "ollama"}, ("llama3.1:8b",), None),
        ("up ollama", {"ollama"}, (), None),
        ("up llama3.1:8b", {"ollama"}, ("llama3.1:8b",), None),
        ("up llama3.1:70b llama3.1:70b devstral", {"ollama"}, ("llama3.1:70b", "devstral"), None),
        ("up faster-whisper", {"whisper"}, (), None),
        ("stop", set(), (), "idle"),
        ("stop whisper", set(), (), None),
    ],
)
def test_a_request_means_these(line: str, services: set[str], models: tuple[str, ...], mode: str | None) -> None:
    target = meaning(line)
    assert (set(target.services), target.models, target.mode) == (services, models, mode)
    assert len(set(target.services)) == len(target.services)


@pytest.mark.parametrize(
    ("line", "scope"),
    [("audio omni", {"audio"}), ("training", {"training"}), ("up whisper", set()), ("stop whisper", set()), ("stop", None)],
)
def test_a_mode_sets_its_own_class_exactly_and_no_other(line: str, scope: set[str] | None) -> None:
    assert meaning(line).scope == scope


@pytest.mark.parametrize(
    ("line", "variants"),
    [
        ("training", {}),
        ("training:large", {"training": "large"}),
        ("training:mid", {"training": "mid"}),
        ("up training:small", {"training": "small"}),
        ("up tetris:large", {"training": "large"}),
    ],
)
def test_a_colon_is_a_variant_where_the_rules_say_so(line: str, variants: dict[str, str]) -> None:
    target = meaning(line)
    assert (target.services, target.variants) == (("training",), variants)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("audio chaterbox", 'unknown audio profile "chaterbox"; did you mean "chatterbox"?'),
        ("audio whisper", 'unknown audio profile "whisper"'),
        ("audio training", 'unknown audio profile "training"'),
        ("training:lrage", 'unknown variant "lrage" of training; did you mean "large"?'),
        ("up training:huge", 'unknown variant "huge" of training; there are small, mid, large'),
        ("up wisper", 'unknown name "wisper"; did you mean "whisper"?'),
        ("up olama", 'unknown name "olama"; did you mean "ollama"?'),
        ("up llama3.1:8", 'unknown name "llama3.1:8"; did you mean "llama3.1:8b"?'),
        ("up whisper:large", 'unknown name "whisper:large"'),
        ("up -rf", 'unknown name "-rf"'),
        ("audio omni --with devstrall", 'unknown name "devstrall"; did you mean "devstral"?'),
    ],
)
def test_an_unknown_name_is_a_usage_fault_with_the_nearest(line: str, message: str) -> None:
    with pytest.raises(UsageFault) as found:
        meaning(line)
    assert found.value.message.startswith(message)
    assert found.value.exit_code == 2


def test_a_mode_that_the_rules_do_not_have_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match='this lab has no mode "training"'):
        resolve(ModeRequest(mode="training"), PROJECT, RULES.model_copy(update={"modes": {}}))


def test_a_profile_that_the_compose_files_do_not_have_is_a_configuration_error() -> None:
    services = {name: service for name, service in PROJECT.services.items() if name != "omni"}
    with pytest.raises(ConfigurationError, match='profile "omni" is not in the Compose files') as found:
        resolve(request("audio omni"), PROJECT.model_copy(update={"services": services}), RULES)
    has = "the Compose files have chatterbox, xtts, qwen, f5, training; correct modes in rules.yaml"
    assert found.value.hint == f"{has}; where another project has it, name that one under projects"


def test_what_has_a_name_near_to_one_that_is_there_is_not_looked_for_in_another_project() -> None:
    services = {name: service.model_copy(update={"profiles": ("omn",)}) for name, service in PROJECT.services.items()}
    with pytest.raises(ConfigurationError, match='did you mean "omn"') as found:
        resolve(request("audio omni"), PROJECT.model_copy(update={"services": services}), RULES)
    assert found.value.hint == "the Compose files have omn; correct modes in rules.yaml"


def test_a_service_that_the_compose_files_do_not_have_is_a_configuration_error() -> None:
    services = {name: service for name, service in PROJECT.services.items() if name != "ollama"}
    with pytest.raises(ConfigurationError, match=r'llama3\.1:8b: rules\.yaml says it runs in the service "ollama"'):
        resolve(request("up llama3.1:8b"), PROJECT.model_copy(update={"services": services}), RULES)


def test_services_without_a_profile_come_along_with_a_mode_and_are_not_named() -> None:
    project = PROJECT.model_copy(update={"services": {**PROJECT.services, "base": Service(name="base")}})
    target = resolve(request("audio omni"), project, RULES)
    assert (set(target.services), target.named) == ({"omni", "base"}, ("omni",))
    assert resolve(request("up whisper"), project, RULES).services == ("whisper",)


def test_what_ran_before_comes_back_as_far_as_the_files_still_know_it() -> None:
    before = RestoreRequest(
        names=("training", "gone"),
        extra=("devstral", "forgotten"),
        variants={"training": "large", "gone": "large", "whisper": "large"},
    )
    target = resolve(before, PROJECT, RULES)
    assert (target.services, target.models, target.variants) == (("training",), ("devstral",), {"training": "large"})
    assert target.warnings == (
        "gone ran before and is no longer in the Compose files",
        "forgotten was admitted before and is no longer a model in rules.yaml",
    )


@pytest.mark.parametrize(
    "line", ["audio omni", "training:large", "up whisper xtts", "audio f5 --with devstral", "stop", "training"]
)
def test_a_request_is_written_as_it_was_typed(line: str) -> None:
    assert str(request(line)) == line


@given(
    st.sampled_from(["up {}", "audio {}", "training:{}", "audio omni --with {}"]), st.from_regex(r"[^\s]{1,12}", fullmatch=True)
)
def test_any_name_is_known_or_a_usage_fault(line: str, name: str) -> None:
    words: dict[str, Request] = {
        "up {}": UpRequest(names=(name,)),
        "audio {}": ModeRequest(mode="audio", profile=name),
        "training:{}": ModeRequest(mode="training", variant=name),
    }
    asked = words.get(line, ModeRequest(mode="audio", profile="omni", extra=(name,)))
    try:
        target = resolve(asked, PROJECT, RULES)
    except UsageFault as error:
        assert name in error.message
    else:
        assert target.services
