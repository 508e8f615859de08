"""What answers in the engine's place may answer anything: it is a value of the form that is needed, or exit 6, nothing else."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from spark_mode.engine.answers import read_container
from spark_mode.engine.docker import EngineApi
from spark_mode.engine.doors import Identity
from spark_mode.errors import EngineUnavailable
from spark_mode.frozen import Frozen
from spark_mode.planning.container import Container
from spark_mode.planning.foreign_workload import ForeignContainer
from spark_mode.planning.observed import Made
from tests.fake_engine import FakeEngine, fake_engine
from tests.mutated import STRANGE, mutated

ID, OTHER_ID = "a" * 64, "b" * 64
COMPOSE = "com.docker.compose"
LABELS = {
    f"{COMPOSE}.project": "lab",
    f"{COMPOSE}.service": "omni",
    f"{COMPOSE}.config-hash": "c0ffee",
    f"{COMPOSE}.depends_on": "ollama:service_healthy:false",
    f"{COMPOSE}.project.config_files": "/lab/compose.yaml",
    f"{COMPOSE}.oneoff": "False",
    f"{COMPOSE}.version": "2.40.3",
    "spark-mode.variant": "small",
}
INSPECTED = {
    "Id": ID,
    "Name": "/lab-omni-1",
    "Image": "sha256:1",
    "RestartCount": 0,
    "State": {
        "Status": "running",
        "OOMKilled": False,
        "ExitCode": 0,
        "StartedAt": "2026-11-27T06:15:23.311555098Z",
        "Health": {"Status": "healthy", "FailingStreak": 0},
    },
    "Config": {"Labels": LABELS, "StopTimeout": 30},
    "HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}},
    "NetworkSettings": {"Networks": {"lab_default": {"IPAddress": "172.18.0.2"}}},
}
LISTED = {"Id": ID, "Names": ["/lab-omni-1"], "Image": "omni:1", "State": "running", "Labels": LABELS}
STRANGER = LISTED | {"Id": OTHER_ID, "Names": ["/bb-omni-1"], "Labels": LABELS | {f"{COMPOSE}.project": "bb"}}
PART = {"Name": "lab_default", "Labels": LABELS}


class Question(NamedTuple):
    """A question to the engine: its path, what was recorded of the answer, and what asks it."""

    path: str
    recorded: Any
    ask: Callable[[EngineApi], object]


QUESTIONS = {
    "which engine": Question(
        "/info",
        {"ID": "1", "ServerVersion": "28.5.2", "Runtimes": {"runc": {"path": "runc"}}, "DiscoveredDevices": [{"ID": "x"}]},
        lambda engine: engine.identity(),
    ),
    "the lab's containers": Question("/containers/json", [LISTED], lambda engine: engine.containers("lab")),
    "a container": Question(f"/containers/{ID}/json", INSPECTED, lambda engine: engine.containers("lab")),
    "others": Question("/containers/json", [LISTED, STRANGER], lambda engine: engine.others("lab")),
    "whose file": Question("/containers/json", [LISTED], lambda engine: engine.project_of_file("/lab/compose.yaml")),
    "images": Question(
        "/images/json",
        [{"Id": "sha256:1", "RepoTags": ["omni:1"], "RepoDigests": ["omni@sha256:2"]}, {"Id": "sha256:3", "RepoTags": ["x:1"]}],
        lambda engine: engine.images(["omni:1"]),
    ),
    "networks": Question("/networks", [PART], lambda engine: engine.networks("lab")),
    "all networks": Question("/networks", [PART | {"Id": ID}], lambda engine: engine.network_names()),
    "volumes": Question("/volumes", {"Volumes": [PART], "Warnings": None}, lambda engine: engine.volumes("lab")),
    "what it holds": Question(
        f"/containers/{ID}/stats",
        {"memory_stats": {"stats": {"active_anon": 1, "inactive_anon": 2, "unevictable": 0}}},
        lambda engine: engine.memory_of(ID),
    ),
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    with fake_engine(tmp_path, {"/containers/json": [LISTED], f"/containers/{ID}/json": INSPECTED}) as one:
        yield one


def require_form(found: object) -> None:
    """Fail for anything that is not wholly of the form that the door promises."""
    match found:
        case Frozen():
            type(found).model_validate(found.model_dump(), strict=True)
        case frozenset():
            assert all(isinstance(one, str) for one in found)
        case tuple():
            for one in found:
                assert isinstance(one, Container | ForeignContainer)
                require_form(one)
        case dict():
            for name, one in found.items():
                assert isinstance(name, str)
                assert isinstance(one, str | Made)
                require_form(one)
        case _:
            assert isinstance(found, str | int | None)


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_of_the_engine_is_a_value_of_the_known_form_or_the_engine_is_unavailable(engine: FakeEngine, name: str) -> None:
    question = QUESTIONS[name]
    engine.answers[question.path] = question.recorded
    known = question.ask(EngineApi(engine.socket))
    assert known
    refused = 0
    for answer in mutated(question.recorded):
        engine.answers[question.path] = answer
        try:
            require_form(question.ask(EngineApi(engine.socket)))
        except EngineUnavailable as error:
            refused += 1
            assert f"the engine's answer to GET {question.path} has not the expected form" in error.message, error.message
            assert error.hint
    assert refused


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_that_is_no_json_is_likewise(engine: FakeEngine, name: str) -> None:
    for body in (b"", b"\xff", b"[" * 100_000, b"NaN", b'{"x": ' * 5000):
        engine.answers[QUESTIONS[name].path] = body
        with pytest.raises(EngineUnavailable, match="has not the expected form"):
            QUESTIONS[name].ask(EngineApi(engine.socket))


@pytest.mark.parametrize("status", [b"9" * 5000, b"abc", b"", b"2000"], ids=["long", "text", "none", "four"])
def test_a_status_that_is_none_is_a_broken_answer(tmp_path: Path, status: bytes) -> None:
    with fake_engine(tmp_path, {"/info": {}}) as engine:
        engine.head = b"HTTP/1.0 " + status + b"\r\n\r\n"
        with pytest.raises(EngineUnavailable, match="broke its answer off"):
            EngineApi(engine.socket).identity()


def test_a_container_of_the_lab_is_active_whatever_its_answer_says_or_it_is_not_read(engine: FakeEngine) -> None:
    for answer in mutated(INSPECTED):
        engine.answers[f"/containers/{ID}/json"] = answer
        try:
            (one,) = EngineApi(engine.socket).containers("lab")
        except EngineUnavailable:
            continue
        assert one.active


@pytest.mark.parametrize("strange", [None, [], "x", -1, {}, {"Id": None}, {"Id": []}, STRANGER | {"Id": -1}])
def test_what_is_no_container_among_those_of_others_locks_nobody_out(engine: FakeEngine, strange: object) -> None:
    engine.answers["/containers/json"] = [strange, STRANGER]
    (other,) = EngineApi(engine.socket).others("lab")
    assert (other.container.id, other.project) == (OTHER_ID, "bb")
    assert EngineApi(engine.socket).project_of_file("/lab/compose.yaml") == "bb"


@pytest.mark.parametrize("name", ["Names", "Image", "State", "Labels"])
def test_what_a_container_of_others_does_not_say_counts_as_the_worst(engine: FakeEngine, name: str) -> None:
    for strange in (*STRANGE, [None], ["\ud800"], {"x": None}, {"\ud800": "\ud800"}):
        engine.answers["/containers/json"] = [STRANGER | {name: strange}]
        (other,) = EngineApi(engine.socket).others("lab")
        assert other.container.active, strange
        assert (other.project == "bb") is (name != "Labels"), strange


@pytest.mark.parametrize("strange", [*STRANGE, {"Id": None}, {"Id": []}])
def test_what_is_no_container_among_those_of_the_lab_is_not_passed_over(engine: FakeEngine, strange: object) -> None:
    engine.answers["/containers/json"] = [LISTED, strange]
    with pytest.raises(EngineUnavailable):
        EngineApi(engine.socket).containers("lab")


@pytest.mark.parametrize("message", [b"[" * 100_000, b"[]", b'{"message": []}', b"null", b"\xff"], ids=range(5))
def test_a_refusal_that_is_not_understood_is_one_all_the_same(tmp_path: Path, message: bytes) -> None:
    with fake_engine(tmp_path, {f"/containers/{ID}/unpause": message}) as engine:
        engine.head = b"HTTP/1.0 500 x\r\n\r\n"
        with pytest.raises(EngineUnavailable, match="Docker refused"):
            EngineApi(engine.socket).unpause(ID)


@pytest.mark.parametrize(
    "what",
    [
        b"cannot update a stopped container",
        b"runc did not terminate successfully: exit status 1: container not running ",
        b"cannot update a deleted process",
    ],
)
def test_the_restart_policy_of_what_ends_at_that_moment_is_set_a_moment_later(engine: FakeEngine, what: bytes) -> None:
    ending = b'HTTP/1.0 500 x\r\n\r\n{"message": "Cannot update container 1: %s: unknown"}' % what
    said = [ending, ending, b"HTTP/1.0 200 OK\r\n\r\n{}"]
    engine.answer = lambda _: said.pop(0)  # type: ignore[method-assign,assignment]  # another one each time
    EngineApi(engine.socket).set_restart_policy(ID, "no", 0)
    assert said == []


def test_which_engine_answers_is_read_from_what_it_says(engine: FakeEngine) -> None:
    engine.answers["/info"] = {"ID": "1", "ServerVersion": "28.5.2", "Runtimes": None, "DiscoveredDevices": None}
    assert EngineApi(engine.socket).identity() == Identity(id="1", version="28.5.2", gpu_runtime=False)
    engine.answers["/info"] = json.dumps(QUESTIONS["which engine"].recorded | {"Runtimes": {"nvidia": {}}}).encode()
    assert EngineApi(engine.socket).identity().gpu_runtime


SHOWN = "NVIDIA_VISIBLE_DEVICES=all"


@pytest.mark.parametrize(
    ("host", "variables", "has_gpu"),
    [
        ({}, [SHOWN], False),
        ({"DeviceRequests": [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}]}, [], True),
        ({"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}]}, [], True),
        ({"Devices": [{"PathOnHost": "/dev/nvidia0"}]}, [], True),
        ({"Devices": [{"PathOnHost": "/dev/snd"}], "DeviceRequests": None, "Runtime": "runc"}, [], False),
        ({"Runtime": "nvidia"}, [SHOWN], True),
        ({"Runtime": "nvidia"}, ["NVIDIA_VISIBLE_DEVICES=void", "PATH"], False),
        ({"Runtime": "nvidia"}, None, False),
    ],
)
def test_whether_a_container_has_a_gpu_is_told_by_how_it_was_made(
    host: dict[str, Any], variables: list[str] | None, has_gpu: bool
) -> None:
    config = {"Labels": {"com.docker.compose.project": "lab"}, "Env": variables}
    assert read_container({"Id": "a", "Name": "/a", "State": {}, "Config": config, "HostConfig": host}).has_gpu is has_gpu
