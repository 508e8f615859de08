"""A GPU is seen however it is asked for: what takes it needs a workload, whatever footprint others have by default."""

from collections.abc import Callable

import pytest

from tests.engine.lab import Lab

pytestmark = pytest.mark.xdist_group("gpus")  # what Compose answered to the one before is known to the next

ASKING = ("cdi", "file", "gpus", "runtime", "reserved", "driver", "named")


@pytest.fixture
def gpus(lab_of: Callable[[str], Lab]) -> Lab:
    return lab_of("gpus")


def test_what_asks_for_a_gpu_and_has_no_workload_is_refused_by_its_name(gpus: Lab) -> None:
    for name in ASKING:
        outcome = gpus.run("up", name, expect=3)
        assert f"{name} asks for a GPU and has no workload in rules.yaml" in outcome.err
    assert gpus.containers() == []


def test_check_says_of_them_in_a_line_that_no_mode_needs_them(gpus: Lab) -> None:
    findings = gpus.run("check", "--format", "json", expect=None).json
    (found,) = [one for one in findings if "no workload describes" in one["message"]]
    assert found["level"] == "info"
    assert set(found["message"].partition(": ")[2].replace(" and 2 more", "").split(", ")) <= set(ASKING)


def test_what_would_only_see_a_gpu_has_the_default_footprint(gpus: Lab) -> None:
    gpus.run("up", "page")
    assert set(gpus.running()) == {"page"}
