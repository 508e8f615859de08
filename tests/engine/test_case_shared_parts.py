"""What shares a namespace, or the volumes, of a service that is made anew is made anew with it."""

from collections.abc import Callable

import pytest

from tests.engine.lab import Lab

KINDS = ("net", "ipc", "pid", "volumes")
ALL = {"owner", "second", *KINDS}


@pytest.fixture
def lab(lab_of: Callable[[str], Lab]) -> Lab:
    return lab_of("shared_parts")


def ids(lab: Lab) -> dict[str, str]:
    return {one["service"]: one["id"] for one in lab.containers()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_service_that_shares_with_another_starts_again_and_again(lab: Lab, kind: str) -> None:
    lab.run("audio", kind)
    before = ids(lab)
    assert "nothing to do" in lab.run("audio", kind).out
    lab.run("stop")
    lab.run("audio", kind)
    assert ids(lab) == before
    assert set(lab.running()) == {"owner", kind}


def test_what_shares_with_a_container_that_was_removed_is_made_anew(lab: Lab) -> None:
    lab.run("audio", "all")
    lab.run("stop")
    before = ids(lab)
    lab.docker("rm", before["owner"])
    planned = lab.run("plan", "audio", "all").out
    assert "net is made anew to share with owner" in planned
    lab.run("audio", "all")
    assert set(lab.running()) == ALL
    assert {name for name, id_ in ids(lab).items() if before[name] == id_} == set()


def test_what_runs_with_a_container_that_is_gone_is_made_anew_too(lab: Lab) -> None:
    lab.run("audio", "all")
    before = lab.running()
    lab.docker("rm", "--force", before["owner"][0])
    planned = lab.run("plan", "audio", "all", "--format", "json").json
    assert {one["subject"]: one["cause"] for one in planned["steps"] if one["action"] == "stop"}["volumes"] == (
        "it shares with owner, which is made anew"
    )
    lab.run("audio", "all")
    after = lab.running()
    assert set(after) == ALL
    assert {name for name in ALL if before[name][0] == after[name][0]} == set()


def test_what_joined_a_service_that_stopped_starts_again_after_it(lab: Lab) -> None:
    lab.run("audio", "all")
    before = lab.running()
    lab.docker("stop", before["owner"][0])
    lab.run("audio", "all")
    after = lab.running()
    assert {name: one[0] for name, one in after.items()} == {name: one[0] for name, one in before.items()}
    assert {name for name in ALL if before[name][1] == after[name][1]} == {"volumes"}


def test_what_shares_and_was_removed_is_created_beside_what_runs(lab: Lab) -> None:
    lab.run("audio", "net")
    before = lab.running()
    lab.docker("rm", "--force", before["net"][0])
    lab.run("audio", "net")
    assert lab.running()["owner"] == before["owner"]
    assert set(lab.running()) == {"owner", "net"}


def test_a_changed_definition_of_either_is_applied(lab: Lab) -> None:
    lab.run("audio", "net")
    lab.run("stop")
    before = ids(lab)
    lab.run("audio", "net", NET="two")
    now = ids(lab)
    assert (now["owner"], now["net"] == before["net"]) == (before["owner"], False)
    lab.run("stop")
    lab.run("audio", "net", NET="two", OWN="two")
    assert {name for name, id_ in ids(lab).items() if now.get(name) == id_} == set()


def test_a_failed_switch_brings_back_what_shares_with_what_was_gone(lab: Lab) -> None:
    lab.run("audio", "net")
    lab.docker("rm", "--force", lab.id_of("owner"))
    lab.run("up", "net", "failing", expect=1)
    assert set(lab.running()) == {"owner", "net"}
    lab.run("audio", "failing", expect=1)
    assert set(lab.running()) == {"owner", "net"}
