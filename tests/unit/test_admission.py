"""Why a request is refused, with what would help; a refused plan has no steps."""

from typing import Any

import pytest

from spark_mode.errors import ConfigurationError
from spark_mode.lab.size import GB
from spark_mode.planning.container import Container
from spark_mode.planning.observed import Made, Memory, Observed
from spark_mode.planning.plan import Refusal
from spark_mode.planning.planner import plan
from tests.audio_lab import CAPACITY, PROJECT, RULES, request, seen


def look(*there: str, **more: Any) -> Observed:
    return seen(*there, **more)


def refusal(line: str, observed: Observed, force: bool = False, **project: Any) -> Refusal | None:
    lab = PROJECT.model_copy(update=project)
    made = plan(request(line, force=force), lab, RULES, observed, CAPACITY)
    assert made.refusal is None or (made.steps == () and str(made) == f"refused: {made.refusal.message}")
    return made.refusal


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("up omni training", "training-without-audio"),
        ("audio omni --with training", "training-without-audio"),
        ("training --with devstral", "training-without-llm"),
        ("training --with llama3.1:8b", "training-without-audio"),
        ("up ollama training", "training-without-audio"),
        ("audio omni --with xtts", "one-speech-model"),
        ("up chatterbox f5", "one-speech-model"),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_a_request_that_excludes_itself_is_refused_even_with_force(line: str, rule: str, force: bool) -> None:
    found = refusal(line, seen(), force=force)
    assert found is not None
    assert found.hint == f"rule {rule}; ask for one of them"
    assert found.kind == "rule"


def test_what_rules_yaml_cannot_place_refuses_a_switch() -> None:
    stray = Container(id="1", name="stray", state="running", service="thing")
    found = refusal("audio omni", Observed(containers=(stray,), memory=Memory(total=CAPACITY, available=CAPACITY)))
    assert found is not None
    assert found.message.startswith('"stray" is running and its service')
    assert found.hint == "describe it under workloads in rules.yaml, or stop it: docker stop stray"


def test_a_service_without_a_class_is_refused_even_with_a_default_footprint() -> None:
    stray = Container(id="1", name="stray", state="running", service=None)
    rules = RULES.model_copy(update={"default_footprint": RULES.workloads["whisper"].footprint})
    made = plan(request("audio omni"), PROJECT, rules, seen().model_copy(update={"containers": (stray,)}), CAPACITY)
    assert made.refusal is not None


def test_a_service_that_rules_yaml_does_not_describe_is_a_configuration_error() -> None:
    services = {**PROJECT.services, "new": PROJECT.services["omni"].model_copy(update={"name": "new", "profiles": ("omni",)})}
    with pytest.raises(ConfigurationError, match="new asks for a GPU and has no workload"):
        refusal("audio omni", seen(), services=services)


@pytest.mark.parametrize("there", [(), ("omni/exited",)], ids=["to create", "created already"])
def test_a_gpu_without_a_runtime_is_refused_before_anything_stops(there: tuple[str, ...]) -> None:
    found = refusal("audio omni", seen("training", *there, gpu_runtime=False))
    assert found is not None
    assert found.message == "omni reserves a GPU, and this Docker engine has no NVIDIA runtime"
    assert found.kind == "configuration"
    assert refusal("audio omni", seen("omni", gpu_runtime=False)) is None


@pytest.mark.parametrize("kind", ["network", "volume"])
@pytest.mark.parametrize("there", [(), ("omni/exited",)], ids=["to create", "created already"])
def test_a_network_or_volume_that_compose_would_replace_is_refused(kind: str, there: tuple[str, ...]) -> None:
    old = made(kind, "old", "2.40.3")
    new: dict[str, Any] = {f"{kind}s": {"lab_x": "new"}, "compose": "2.40.3"}
    found = refusal("audio omni", look(*there, **old), **new)
    assert found is not None
    assert found.message.startswith(f'the definition of the {kind} "lab_x" changed')
    assert f"docker {kind} rm lab_x" in str(found.hint)
    assert ("deletes its data" in str(found.hint)) == (kind == "volume")
    assert found.kind == "configuration"
    assert refusal("audio omni", look(**made(kind, "new", "2.40.3")), **new) is None
    assert refusal("audio omni", look(), **new) is None


def made(kind: str, config_hash: str, compose: str) -> dict[str, Any]:
    """Return what is seen of a network or volume that a version of Compose made."""
    return {f"{kind}s": {"lab_x": Made(config_hash=config_hash, compose=compose)}}


@pytest.mark.parametrize("maker", ["2.36.0", ""])
@pytest.mark.parametrize("kind", ["network", "volume"])
def test_a_network_or_volume_that_another_compose_made_is_a_warning_and_refuses_nothing(kind: str, maker: str) -> None:
    lab = PROJECT.model_copy(update={f"{kind}s": {"lab_x": "new"}, "compose": "2.40.3"})
    found = plan(request("audio omni"), lab, RULES, look(**made(kind, "old", maker)), CAPACITY)
    assert found.refusal is None
    assert any(one.startswith(f'the {kind} "lab_x" was made by Compose') and "2.40.3 is in use" in one for one in found.warnings)
    same = plan(request("audio omni"), lab, RULES, look(**made(kind, "new", maker)), CAPACITY)
    assert not any("was made by Compose" in one for one in same.warnings)


def test_a_dead_container_is_refused_before_anything_stops_with_what_removes_it() -> None:
    found = refusal("audio omni", seen("training", "omni/dead"))
    assert found is not None
    assert found.message == 'the container "audio-lab-omni-1" of omni is dead, and nothing starts it again'
    assert (found.hint, found.kind) == ("docker rm -f audio-lab-omni-1", "configuration")
    assert refusal("training", seen("omni/dead")) is None


def test_an_image_that_is_not_built_yet_is_refused_before_anything_stops_with_what_builds_it() -> None:
    found = refusal("audio chatterbox", seen("training", images={}))
    assert found is not None
    assert found.message == "whisper, chatterbox have no images yet, and a switch builds none"
    assert (found.hint, found.kind) == ("docker compose --profile '*' build whisper chatterbox", "configuration")
    assert refusal("audio chatterbox", seen("whisper", "chatterbox/exited", images={})) is None
    assert refusal("audio chatterbox", Observed(complete=False)) is None


@pytest.mark.parametrize("force", [False, True])
def test_what_does_not_fit_is_refused_even_with_force(force: bool) -> None:
    found = refusal("up llama3.1:70b-fp16", seen(), force=force)
    assert found is not None
    assert found.message == (
        "does-not-fit: 144.0 GB are more than the 128.0 GB that there are (llama3.1:70b-fp16 140, overhead 4; GB)"
    )
    assert found.hint == ("it would fit with coder32b instead of llama3.1:70b-fp16 (spark-mode up coder32b)")


def test_an_oom_risk_is_refused_with_what_would_fit_and_admitted_with_force() -> None:
    line = "up whisper --with coder32b --with devstral"
    found = refusal(line, seen(available=125 * GB))
    assert found is not None
    assert found.message.startswith(
        "oom-risk: 121.0 GB are more than the 100.0 GB that are safe (whisper 3, devstral 48, coder32b 64"
    )
    assert found.hint == (
        "it would fit with llama3.1:70b instead of coder32b (spark-mode up whisper --with llama3.1:70b --with devstral) "
        "or with llama3.1:8b instead of devstral (spark-mode up whisper --with coder32b --with llama3.1:8b) or without coder32b"
    )
    assert refusal(line, seen(available=125 * GB), force=True) is None


@pytest.mark.parametrize(
    ("available", "force", "refused"),
    [
        (28.0, False, False),
        (27.9, False, True),
        (18.0, True, False),
        (17.9, True, True),
        (None, False, True),
        (None, True, False),
    ],
)
def test_the_memory_that_is_really_free_must_be_enough(available: float | None, force: bool, refused: bool) -> None:
    free = None if available is None else round(available * GB)
    assert (refusal("audio omni", seen(available=free), force=force) is not None) == refused


def test_unknown_memory_does_not_matter_where_nothing_starts() -> None:
    assert refusal("audio omni", seen("omni", available=None)) is None
    assert refusal("stop", seen("omni", available=None)) is None
