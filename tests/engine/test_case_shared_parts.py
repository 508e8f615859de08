"""What shares a namespace, or the volumes, of a service that is made anew is made anew with it."""

from collections.abc import Callable

import pytest

from tests.deep import DEEP, deep
from tests.engine.lab import Lab

KINDS = ("net", "ipc", "pid", "volumes")
ALL = {"owner", "second", *KINDS}


@pytest.fixture
def lab(lab_of: Callable[[str], Lab]) -> Lab:
    return lab_of("shared_parts")


def ids(lab: Lab) -> dict[str, str]:
    return {one["service"]: one["id"] for one in lab.containers()}


def test_what_shares_starts_again_and_again_after_what_stopped_and_is_made_anew_with_what_is_gone(lab: Lab) -> None:
    lab.run("audio", "all")
    assert "nothing to do" in lab.run("audio", "all").out
    was = lab.running()
    lab.docker("stop", was["owner"][0])
    lab.run("audio", "all")
    now = lab.running()
    assert {name: one[0] for name, one in now.items()} == {name: one[0] for name, one in was.items()}
    assert {name for name in ALL if was[name][1] == now[name][1]} == {"volumes"}

    before = ids(lab)
    lab.docker("rm", "--force", before["owner"])
    planned = lab.run("plan", "audio", "all", "--format", "json").json
    assert {one["subject"]: one["cause"] for one in planned["steps"] if one["action"] == "stop"}["volumes"] == (
        "it shares with owner, which is made anew"
    )
    lab.run("audio", "all")
    assert set(lab.running()) == ALL
    assert {name for name, id_ in ids(lab).items() if before[name] == id_} == set()

    before = ids(lab)
    lab.run("stop")
    lab.docker("rm", before["owner"])
    assert "net is made anew to share with owner" in lab.run("plan", "audio", "all").out
    if DEEP:
        lab.run("audio", "all")
        assert set(lab.running()) == ALL
        assert {name for name, id_ in ids(lab).items() if before[name] == id_} == set()


@deep
@pytest.mark.parametrize("kind", KINDS)
def test_a_service_that_shares_with_another_alone_starts_again_and_again(lab: Lab, kind: str) -> None:
    lab.run("audio", kind)
    before = ids(lab)
    assert "nothing to do" in lab.run("audio", kind).out
    lab.run("stop")
    lab.run("audio", kind)
    assert ids(lab) == before
    assert set(lab.running()) == {"owner", kind}


def test_what_shares_is_created_beside_what_runs_comes_back_after_a_failed_switch_and_follows_each_changed_definition(
    lab: Lab,
) -> None:
    lab.run("audio", "net")
    running = lab.running()
    lab.docker("rm", "--force", running["net"][0])
    lab.environment["NET"] = "two"
    lab.run("audio", "net")
    now = lab.running()
    assert set(now) == {"owner", "net"}
    assert now["owner"] == running["owner"]
    assert "NET=two" in lab.docker("inspect", now["net"][0])

    before = ids(lab)
    lab.run("audio", "failing", expect=1)
    assert {name: one[0] for name, one in lab.running().items()} == before
    lab.docker("rm", "--force", before["owner"])
    lab.run("up", "net", "failing", expect=1)
    assert set(lab.running()) == {"owner", "net"}
    joined = lab.docker("inspect", "--format", "{{.HostConfig.NetworkMode}}", lab.id_of("net"))
    assert joined.strip() == f"container:{lab.id_of('owner')}"

    before = ids(lab)
    lab.run("stop")
    lab.run("audio", "net", OWN="two")
    assert {name for name, (id_, _) in lab.running().items() if id_ != before[name]} == {"owner", "net"}
