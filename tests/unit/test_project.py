"""The Compose project: what a service needs comes with it, and nothing but what decisions use is kept."""

from typing import Any

import pytest

from spark_mode.lab.project import Project
from spark_mode.lab.project_reading import read_project
from tests.audio_lab import PROJECT, SPEECH


def project(**services: dict[str, Any]) -> Project:
    return read_project({"name": "lab", "services": services}, {name: f"hash of {name}" for name in services})


OPTIONAL = {"condition": "service_started", "required": False}


@pytest.mark.parametrize(
    "need",
    [
        {"depends_on": {"b": {"condition": "service_healthy"}}},
        {"network_mode": "service:b"},
        {"ipc": "service:b"},
        {"pid": "service:b"},
        {"volumes_from": ["b:ro"]},
    ],
    ids=lambda need: next(iter(need)),
)
def test_what_a_service_needs_comes_with_it_and_before_it(need: dict[str, Any]) -> None:
    lab = project(a=need, b={"depends_on": {"c": {}}}, c={}, d={})
    assert lab.closure(["a"]) == ("c", "b", "a")
    assert lab.dependents("c", ["a", "b", "d"]) == ("a", "b")


@pytest.mark.parametrize(
    "other", [{"network_mode": "host"}, {"ipc": "shareable"}, {"pid": "host"}, {"volumes_from": ["container:b"]}]
)
def test_what_is_not_a_service_of_the_project_comes_not(other: dict[str, Any]) -> None:
    assert project(a=other, b={}).closure(["a"]) == ("a",)


def test_an_optional_dependency_comes_first_where_it_is_asked_for_and_not_otherwise() -> None:
    lab = project(a={"depends_on": {"b": OPTIONAL}}, b={})
    assert lab.closure(["a"]) == ("a",)
    assert lab.closure(["a", "b"]) == ("b", "a")
    assert lab.dependents("b", ["a"]) == ()


def test_a_circle_ends() -> None:
    lab = project(a={"network_mode": "service:b"}, b={"depends_on": {"a": {}}})
    assert sorted(lab.closure(["a"])) == ["a", "b"]
    assert project(a={"depends_on": {"a": {}}}).closure(["a"]) == ("a",)


def test_a_need_that_is_not_in_the_files_is_left_to_compose_to_tell() -> None:
    assert project(a={"depends_on": {"gone": {}}}).closure(["a", "nothing"]) == ("a",)


def test_a_provider_is_in_no_target() -> None:
    lab = project(a={"depends_on": {"b": {}}}, b={"provider": {"type": "model"}}, c={"provider": {}, "profiles": ["x"]})
    assert (lab.closure(["a"]), lab.without_profile, lab.of_profile("x")) == (("a",), ("a",), ())


def test_services_without_a_profile_are_apart() -> None:
    lab = project(a={"profiles": ["x", "y"]}, b={"profiles": ["y"]}, c={})
    assert (lab.profiles, lab.without_profile, lab.of_profile("y")) == (("x", "y"), ("c",), ("a", "b"))


def test_the_real_lab_has_a_profile_for_every_mode_and_no_service_without_one() -> None:
    assert set(PROJECT.profiles) == {*SPEECH, "training"}
    assert PROJECT.without_profile == ()
    for name in SPEECH[1:]:
        assert set(PROJECT.closure(PROJECT.of_profile(name))) == {name, "whisper", "ollama"}
    assert PROJECT.of_profile("omni") == ("omni",)
    assert PROJECT.of_profile("training") == ("training",)
    assert all(service.reserves_gpu for service in PROJECT.services.values())
    assert PROJECT.services["training"].stop_grace_seconds == 300


def test_secrets_are_dropped_at_once() -> None:
    secret = {"environment": {"HF_TOKEN": "s3cret"}, "command": ["--key", "s3cret"], "labels": {"a": "s3cret"}}
    lab = read_project(
        {
            "name": "lab",
            "services": {"a": {"image": "x", "build": {"args": {"TOKEN": "s3cret"}}, **secret}},
            "configs": {"c": {"name": "c", "content": "s3cret"}},
            "secrets": {"s": {"name": "s", "environment": "s3cret"}},
            "networks": {"n": {"name": "n", "labels": {"a": "s3cret"}}},
            "volumes": {"v": {"name": "v", "driver_opts": {"o": "s3cret"}}},
        },
        {},
    )
    assert "s3cret" not in repr(lab)
    assert "s3cret" not in lab.model_dump_json()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m0s", 300), ("1m30s", 90), ("1h2m3.5s", 3723.5), ("500ms", 0.5), ("0s", 0), ("250us", 0.00025), (None, 10)],
)
def test_a_duration_is_read_as_compose_writes_it(text: str | None, seconds: float) -> None:
    assert project(a={"stop_grace_period": text}).services["a"].stop_grace_seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    "raw",
    [
        {"gpus": [{"count": -1}]},
        {"gpus": [{"driver": "nvidia", "count": 2}]},
        {"runtime": "nvidia"},
        {"deploy": {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"], "count": 1}]}}}},
        {"deploy": {"resources": {"reservations": {"devices": [{"driver": "cdi", "capabilities": ["x"]}]}}}},
        {"devices": [{"source": "nvidia.com/gpu=all", "target": "nvidia.com/gpu=all", "permissions": "rwm"}]},
        {"runtime": "nvidia-cdi"},
    ],
)
def test_a_gpu_is_seen_however_it_is_asked_for(raw: dict[str, Any]) -> None:
    assert project(a=raw).services["a"].reserves_gpu
    assert project(a=raw).services["a"].needs_gpu_runtime


def test_a_gpu_that_is_asked_for_by_its_device_file_is_seen_and_needs_no_runtime() -> None:
    service = project(a={"devices": [{"source": "/dev/nvidia0", "target": "/dev/nvidia0"}]}).services["a"]
    assert service.reserves_gpu
    assert not service.needs_gpu_runtime


@pytest.mark.parametrize(
    "raw",
    [
        {"devices": [{"source": "/dev/snd", "target": "/dev/snd"}]},
        {"devices": [{"source": "vendor.com/nic=eth0"}]},
        {"environment": {"NVIDIA_VISIBLE_DEVICES": "all"}},
        {"runtime": "runc"},
        {"deploy": {"resources": {"reservations": {"devices": [{"capabilities": ["tpu"], "driver": "other"}]}}}},
    ],
)
def test_what_asks_for_no_gpu_reserves_none(raw: dict[str, Any]) -> None:
    assert not project(a=raw).services["a"].reserves_gpu


def test_only_a_port_that_nobody_else_can_have_counts() -> None:
    one = {"target": 1, "published": "80", "protocol": "tcp", "mode": "ingress"}
    many = [one, one | {"published": "90-92"}, {"target": 1, "protocol": "tcp"}, one | {"host_ip": "::1", "protocol": "udp"}]
    assert list(map(str, project(a={"ports": many}).services["a"].ports)) == ["port 80", "[::1]:80/udp"]
    assert project(a={"ports": many, "network_mode": "host"}).services["a"].ports == ()


@pytest.mark.parametrize(("raw", "count"), [({}, 1), ({"scale": 0}, 0), ({"deploy": {"replicas": 2}}, 2), ({"deploy": {}}, 1)])
def test_replicas_are_counted_as_compose_counts_them(raw: dict[str, Any], count: int) -> None:
    assert project(a=raw).services["a"].replicas == count


@pytest.mark.parametrize(
    "raw",
    [{}, {"deploy": {"placement": {}}}, {"deploy": {"resources": {"reservations": {"devices": [{"capabilities": ["tpu"]}]}}}}],
)
def test_no_gpu_is_seen_where_none_is_asked_for(raw: dict[str, Any]) -> None:
    assert not project(a=raw).services["a"].reserves_gpu


def test_what_is_built_has_the_name_that_compose_gives_it_where_the_file_gives_none() -> None:
    lab = project(a={"build": "."}, b={"build": ".", "image": "mine:1"}, c={"image": "other"}, d={"provider": {}})
    assert [lab.services[name].image for name in "abcd"] == ["lab-a", "mine:1", "other", None]


def test_what_compose_does_not_create_has_no_hash() -> None:
    parts = {"a": {"name": "lab_a", "external": True}, "b": {"name": "lab_b"}}
    lab = read_project({"name": "lab", "services": {}, "networks": parts, "volumes": parts}, {})
    assert (set(lab.networks), set(lab.volumes)) == ({"lab_b"}, {"lab_b"})
    assert lab.networks["lab_b"] != lab.volumes["lab_b"]


@pytest.mark.parametrize(
    ("raw", "completes"),
    [
        ({}, True),
        ({"restart": "no"}, True),
        ({"restart": "on-failure:3"}, True),
        ({"restart": "unless-stopped"}, False),
        ({"restart": "always"}, False),
        ({"deploy": {"restart_policy": {"condition": "any"}}}, False),
        ({"restart": "always", "deploy": {"restart_policy": {"condition": "none"}}}, True),
        ({"healthcheck": {"test": ["CMD", "true"]}}, False),
        ({"healthcheck": {"disable": True}}, True),
    ],
)
def test_exit_0_is_the_end_of_what_nothing_expects_to_run_on(raw: dict[str, Any], completes: bool) -> None:
    assert project(a=raw).services["a"].may_complete is completes
