"""What has completed: exit 0 is the end only of what no health check expects to run on, be it the files' or the image's."""

import pytest

from spark_mode.engine.answers import read_container
from spark_mode.lab.project import Project
from spark_mode.lab.service import Dependency, Service
from spark_mode.planning.completion import has_ended, is_end_of
from spark_mode.planning.container import Container
from spark_mode.planning.observed import Observed
from tests.audio_lab import RULES

LAB = Project(
    name="lab",
    services={
        "fetch": Service(name="fetch"),
        "page": Service(name="page", depends_on={"awaited": Dependency(condition="service_completed_successfully")}),
        "awaited": Service(name="awaited"),
        "training": Service(name="training"),
    },
)


def ended(service: str, checked: bool) -> Container:
    return Container(id=service, name=service, service=service, state="exited", exit_code=0, checked=checked)


@pytest.mark.parametrize(
    ("service", "checked", "ends"),
    [
        ("fetch", False, True),
        ("fetch", True, False),
        ("awaited", True, True),
    ],
)
def test_what_the_image_has_a_health_check_for_has_not_completed_unless_others_await_that(
    service: str, checked: bool, ends: bool
) -> None:
    container = ended(service, checked)
    assert is_end_of(container, service, LAB, RULES) is ends
    assert has_ended(service, Observed(containers=(container,)), LAB, RULES) is ends


def test_a_long_run_ends_well_whatever_its_image_checks() -> None:
    assert is_end_of(ended("training", checked=True), "training", LAB, RULES)


@pytest.mark.parametrize(("test", "checked"), [(["CMD", "true"], True), (["NONE"], False), (None, False)])
def test_a_container_is_checked_as_the_engine_says_that_its_image_or_its_file_has_it(
    test: list[str] | None, checked: bool
) -> None:
    labels = {"com.docker.compose.project": "lab", "com.docker.compose.service": "fetch"}
    config = {"Labels": labels, "Healthcheck": {"Test": test} if test else None}
    raw = {"Id": "a", "Name": "/a", "State": {"Status": "exited"}, "Config": config, "HostConfig": {}}
    assert read_container(raw).checked is checked
