"""How many containers of a service Compose starts: of none there is nothing to start, several are one workload."""

from collections.abc import Callable

import pytest

from tests.engine.lab import Lab


@pytest.fixture
def replicas(lab_of: Callable[[str], Lab]) -> Lab:
    return lab_of("replicas")


def test_a_service_of_no_container_is_part_of_no_target_refused_by_its_name_and_awaited_by_nobody(replicas: Lab) -> None:
    assert replicas.run("plan", "up", "page", "--format", "json").json["target"] == ["page"]
    assert replicas.plain("-p", replicas.project, "up", "--detach", "page").code == 0
    replicas.run("stop")
    assert replicas.running() == {}
    replicas.run("up", "page")
    for name in ("none", "never"):
        assert f"{name} has 0 replicas" in replicas.run("up", name, expect=3).err
    assert set(replicas.running()) == {"page"}


def active(lab: Lab, service: str) -> int:
    """Return how many containers of a service run."""
    return sum(one["service"] == service and one["state"] == "running" for one in lab.containers())


def test_all_replicas_are_started_budgeted_stopped_and_brought_back_and_fail_together(replicas: Lab) -> None:
    assert "budget: two 12 +" in replicas.run("plan", "chat").out
    replicas.run("chat")
    first, second = (one for one in replicas.containers() if one["service"] == "two")
    replicas.docker("rm", "-f", first["id"])
    replicas.run("chat")
    assert active(replicas, "two") == 2
    (same,) = [one for one in replicas.containers() if one["id"] == second["id"]]
    assert same["started"] == second["started"]
    status = replicas.run("status", "--format", "json").json
    assert status["mode"] == "chat two"
    assert [one["planned_gb"] for one in status["services"] if one["service"] == "two"] == [6.0, 6.0]

    replicas.run("tune")
    before = replicas.running()
    assert (active(replicas, "two"), active(replicas, "tune")) == (0, 1)
    outcome = replicas.run("up", "brittle", "--yes", expect=1)
    assert "it exited with code 3" in outcome.err
    assert active(replicas, "brittle") == 0
    assert replicas.running().keys() == before.keys()

    replicas.run("restore", "--yes")
    assert (active(replicas, "two"), active(replicas, "tune")) == (2, 0)
    assert "nothing to do" in replicas.run("chat").out


def test_the_rules_that_are_printed_are_those_of_the_file(replicas: Lab) -> None:
    written = replicas.run("rules", "--format", "json").json
    assert written["workloads"]["two"]["footprint"]["planned"] == "6GB"
    again = replicas.folder / "again.yaml"
    again.write_text(replicas.run("rules").out)
    replicas.rules = "again.yaml"
    assert replicas.run("rules", "--format", "json").json == written
