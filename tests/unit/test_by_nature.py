"""What Docker itself refuses together is a rule beside those of rules.yaml; the real engine agrees in tests/engine."""

from typing import Any

import pytest

from spark_mode.lab.by_nature import is_by_nature, with_nature, without_nature
from spark_mode.lab.project import Project
from spark_mode.lab.project_reading import read_project
from spark_mode.lab.replicas import of_one
from spark_mode.planning.budget import budget
from spark_mode.planning.conflicts import conflicts, member
from spark_mode.planning.foreign_workload import ForeignWorkload
from spark_mode.planning.mode import violations
from spark_mode.planning.observed import Observed
from tests.audio_lab import CAPACITY, PROJECT, RULES, container

EVERY_IPV4 = "0.0.0.0"  # noqa: S104 - nothing is bound


def project(**services: dict[str, Any]) -> Project:
    return read_project({"name": "lab", "services": services}, {})


def publishing(address: str, published: str = "80", protocol: str = "tcp") -> dict[str, Any]:
    return {"ports": [{"target": 1, "published": published, "host_ip": address, "protocol": protocol}]}


def apart(lab: Project) -> list[str]:
    """Return what keeps the services of a project apart."""
    rules = with_nature(RULES, lab)
    return [str(one) for one in conflicts(rules, (member(rules, name) for name in lab.services))]


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("", "127.0.0.1", True),
        (EVERY_IPV4, "127.0.0.1", True),
        (EVERY_IPV4, "::", False),
        (EVERY_IPV4, "::1", False),
        ("::", "::1", True),
        ("::", "127.0.0.1", False),
        ("", "::1", True),
        ("", "", True),
    ],
)
def test_an_address_meets_itself_and_what_stands_for_it(one: str, other: str, meet: bool) -> None:
    assert bool(apart(project(a=publishing(one), b=publishing(other)))) is meet
    assert bool(apart(project(a=publishing(other), b=publishing(one)))) is meet


def test_protocols_and_numbers_do_not_meet() -> None:
    assert apart(project(a=publishing(""), b=publishing("", "81"), c=publishing("", "80", "udp"))) == []


def test_services_that_meet_at_many_ports_are_told_of_the_first() -> None:
    ports = [{"target": port, "published": str(port), "host_ip": "127.0.0.1"} for port in range(8000, 8003)]
    found = apart(project(a={"ports": ports}, b={"ports": ports}))
    assert found == ["a and b exclude each other (both publish 127.0.0.1:8000 and 2 more)"]


def test_of_many_services_those_meet_that_meet_in_pairs() -> None:
    found = apart(project(a=publishing("127.0.0.1"), b=publishing("127.0.0.2"), c=publishing("")))
    assert found == [
        "a and c exclude each other (both publish 127.0.0.1:80)",
        "b and c exclude each other (both publish 127.0.0.2:80)",
    ]


def test_two_of_one_name_exclude_each_other() -> None:
    lab = project(a={"container_name": "model"}, b={"container_name": "other"}, c={"container_name": "model"}, d={})
    assert apart(lab) == ["a and c exclude each other (both are named model)"]


def test_a_name_that_compose_gives_another_service_by_default_is_taken_too() -> None:
    lab = project(a={"container_name": "lab-b-2"}, b={"scale": 2}, c={"container_name": "lab-d-2"}, d={}, e={})
    assert apart(lab) == ["a and b exclude each other (both are named lab-b-2)"]


def test_the_rules_of_another_project_go_with_it() -> None:
    first = with_nature(RULES, project(a=publishing(""), b=publishing("")))
    assert [one.name for one in first.rules if is_by_nature(one.name)] == ["by nature: port 80"]
    assert with_nature(first, PROJECT) == without_nature(first) == RULES


def test_a_budget_says_no_to_what_docker_refuses() -> None:
    lab = project(whisper=publishing(""), f5=publishing(""))
    found = budget([RULES.workloads["whisper"], RULES.workloads["f5"]], with_nature(RULES, lab), CAPACITY)
    assert found.decision == "no"
    assert [one.because for one in found.reasons] == ["both publish port 80"]


def test_the_models_of_one_host_are_together_where_the_host_is() -> None:
    lab = project(ollama=publishing(""), whisper=publishing(""))
    rules = with_nature(RULES, lab)
    names = ("llama3.1:8b", "devstral", "whisper")
    clash = [(one.one.name, one.other.name) for one in conflicts(rules, (member(rules, name) for name in names))]
    assert clash == [("llama3.1:8b", "whisper"), ("devstral", "whisper")]


def test_all_replicas_of_a_service_are_one_workload_in_each_of_its_variants() -> None:
    services = {name: one.model_copy(update={"replicas": 3}) for name, one in PROJECT.services.items() if name == "training"}
    rules = with_nature(with_nature(RULES, PROJECT.model_copy(update={"services": services})), PROJECT)
    assert rules == RULES
    rules = with_nature(RULES, PROJECT.model_copy(update={"services": services}))
    again = with_nature(rules, PROJECT.model_copy(update={"services": services}))
    for name in ("training", "training:large"):
        of_all, one = again.find(name), RULES.find(name)
        assert of_all and one
        assert of_all.footprint.planned == 3 * one.footprint.planned
        assert of_one(of_all) == one


def test_what_runs_breaks_no_rule_by_nature() -> None:
    rules = with_nature(RULES, project(whisper=publishing(""), f5=publishing("")))
    foreign = ForeignWorkload(name="f5", container=container("f5"), project="other")
    assert violations(Observed(containers=(container("whisper"),), foreign=(foreign,)), rules) == ()
