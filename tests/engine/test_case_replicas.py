"""How many containers of a service Compose starts: of none there is nothing to start, several are one workload."""

from collections.abc import Callable

import pytest

from tests.engine.lab import Lab


@pytest.fixture
def replicas(lab_of: Callable[[str], Lab]) -> Lab:
    return lab_of("replicas")


def test_a_service_of_no_container_is_part_of_no_target_and_refused_by_its_name(replicas: Lab) -> None:
    replicas.run("up", "page")
    assert set(replicas.running()) == {"page"}
    for name in ("none", "never"):
        assert f"{name} has 0 replicas" in replicas.run("up", name, expect=3).err
    assert set(replicas.running()) == {"page"}


def test_what_depends_on_a_service_of_no_container_starts_without_it_as_with_compose(replicas: Lab) -> None:
    assert replicas.run("plan", "up", "page", "--format", "json").json["target"] == ["page"]
    assert replicas.plain("-p", replicas.project, "up", "--detach", "page").code == 0
    assert set(replicas.running()) == {"page"}
    replicas.run("stop")
    assert replicas.running() == {}


def active(lab: Lab, service: str) -> int:
    """Return how many containers of a service run."""
    return sum(one["service"] == service and one["state"] == "running" for one in lab.containers())


def test_all_replicas_are_started_budgeted_stopped_and_brought_back(replicas: Lab) -> None:
    assert "budget: two 12 +" in replicas.run("plan", "chat").out
    replicas.run("chat")
    assert active(replicas, "two") == 2
    status = replicas.run("status", "--format", "json").json
    assert status["mode"] == "chat two"
    assert [one["planned_gb"] for one in status["services"] if one["service"] == "two"] == [6.0, 6.0]
    replicas.run("tune")
    assert (active(replicas, "two"), active(replicas, "tune")) == (0, 1)
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


def test_a_replica_that_is_missing_is_started_and_the_other_goes_on(replicas: Lab) -> None:
    replicas.run("chat")
    first, second = (one for one in replicas.containers() if one["service"] == "two")
    replicas.docker("rm", "-f", first["id"])
    replicas.run("chat")
    assert active(replicas, "two") == 2
    (same,) = [one for one in replicas.containers() if one["id"] == second["id"]]
    assert same["started"] == second["started"]


def test_a_replica_that_fails_takes_the_others_with_it_and_what_ran_before_comes_back(replicas: Lab) -> None:
    replicas.run("tune")
    before = replicas.running()
    outcome = replicas.run("up", "brittle", "--yes", expect=1)
    assert "it exited with code 3" in outcome.err
    assert active(replicas, "brittle") == 0
    assert replicas.running().keys() == before.keys()
