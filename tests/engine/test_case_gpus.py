"""A GPU is seen however it is asked for: what takes it needs a workload, whatever footprint others have by default."""

from collections.abc import Callable

import pytest

from tests.engine.lab import Lab

ASKING = ("cdi", "file", "gpus", "runtime", "reserved", "driver", "named")


@pytest.fixture
def gpus(lab_of: Callable[[str], Lab]) -> Lab:
    return lab_of("gpus")


def test_what_asks_for_a_gpu_and_has_no_workload_is_refused_by_its_name(gpus: Lab) -> None:
    for name in ASKING:
        outcome = gpus.run("up", name, expect=3)
        assert f"{name} asks for a GPU and has no workload in rules.yaml" in outcome.err
    assert gpus.containers() == []


def test_check_says_of_each_of_them_that_it_is_an_error(gpus: Lab) -> None:
    findings = gpus.run("check", "--format", "json", expect=None).json
    found = {one["where"].removeprefix("compose: ") for one in findings if "asks for a GPU" in one["message"]}
    assert found == set(ASKING)
    assert {one["level"] for one in findings if "asks for a GPU" in one["message"]} == {"error"}


def test_what_would_only_see_a_gpu_has_the_default_footprint(gpus: Lab) -> None:
    gpus.run("up", "page")
    assert set(gpus.running()) == {"page"}
