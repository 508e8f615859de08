"""A lab with all that Compose files may have is switched as any other, whether or not one of its profiles is at fault."""

from collections.abc import Callable, Iterator

import pytest

from tests.deep import deep
from tests.engine.lab import Lab

SECOND = {"web.ui-1_x", "included", "always", "child"}


@pytest.fixture
def lab(lab_of: Callable[[str], Lab]) -> Iterator[Lab]:
    one = lab_of("everything")
    one.files = ("compose.yaml", "override.yaml")
    outer = one.environment["OUTER"] = f"{one.project}-outer"
    one.docker("network", "create", outer)
    one.docker("volume", "create", outer)
    yield one
    one.down()
    one.docker("network", "rm", outer)
    one.docker("volume", "rm", outer)


@pytest.mark.parametrize("broken", [True, pytest.param(False, marks=deep)])
def test_a_lab_with_all_that_compose_files_may_have_is_switched_as_any_other_where_a_profile_is_at_fault_too(
    lab: Lab, broken: bool
) -> None:
    lab.run("audio", "second")
    assert set(lab.running()) == SECOND
    more = {"nameless", "optional"}
    lab.run("up", *more)
    before = lab.running()
    assert set(before) == SECOND | more
    assert lab.run("status", "--format", "json").json["mode"] == "audio second"
    whole = lab.files
    lab.files = (*whole, *(["broken.yaml"] if broken else []))
    again = lab.run("audio", "second")
    assert "nothing to do" in again.out
    assert "earlier definition" not in again.err
    assert lab.running() == before
    lab.run("training")
    assert set(lab.running()) == {"trainer", "included", "always", *more}
    lab.files = whole
    lab.run("restore")
    assert {name: one[0] for name, one in lab.running().items()} == {name: one[0] for name, one in before.items()}
    lab.run("stop")
    assert lab.running() == {}


def test_what_is_only_built_is_built_before_a_switch_by_the_command_that_is_said(lab: Lab) -> None:
    refused = lab.run("audio", "built", expect=3)
    said = refused.err.split("docker compose ")[1].splitlines()[0].replace("'", "").split()
    lab.plain(*(part for file in lab.files for part in ("-f", file)), "-p", lab.project, *said)
    lab.run("audio", "built")
    assert set(lab.running()) == {"built", "included", "always"}
    lab.docker("rmi", "--force", f"{lab.project}-built")
