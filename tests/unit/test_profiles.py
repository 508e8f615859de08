"""Compose is told of the profiles that a command needs, and of no others."""

from typing import Any

import pytest

from spark_mode.errors import ConfigurationError
from spark_mode.lab.profiles import ComposeCall, compose_calls, with_company
from spark_mode.lab.project import Project
from spark_mode.lab.project_reading import read_project
from spark_mode.planning.target import Target, require_usable


def project(**services: dict[str, Any]) -> Project:
    return read_project({"name": "lab", "services": services}, {})


LAB = project(
    base={},
    a={"profiles": ["a"], "depends_on": {"shared": {}}},
    b={"profiles": ["b"]},
    shared={"profiles": ["more", "b"], "network_mode": "service:deep"},
    deep={"profiles": ["deep"]},
    both={"profiles": ["b", "a"]},
)


def test_what_a_profile_depends_on_is_told_with_it() -> None:
    assert with_company([], LAB.services) == ()
    assert with_company(["a"], LAB.services) == ("a", "more", "deep")
    assert with_company(["b"], LAB.services) == ("b", "deep")


def test_what_has_no_profile_may_need_one_that_is_told_always() -> None:
    lab = project(base={"depends_on": {"x": {}}}, x={"profiles": ["x"]}, a={"profiles": ["a"]})
    assert with_company([], lab.services) == ("x",)
    assert with_company(["a"], lab.services) == ("a", "x")


def test_services_are_named_in_one_command_with_the_profiles_of_all() -> None:
    assert compose_calls(["base", "b", "a"], LAB) == (ComposeCall(("b", "deep", "a", "more"), ("base", "b", "a")),)
    assert compose_calls(["unknown"], LAB) == (ComposeCall((), ("unknown",)),)


def test_profiles_that_do_not_go_together_are_never_told_together() -> None:
    lab = LAB.model_copy(update={"apart": True, "unusable": {"b": "no"}})
    assert compose_calls(["base", "both", "a", "deep"], lab) == (
        ComposeCall((), ("base",)),
        ComposeCall(("a", "more", "deep"), ("both", "a")),
        ComposeCall(("deep",), ("deep",)),
    )


def test_a_service_cannot_be_used_when_none_of_its_profiles_can() -> None:
    lab = LAB.model_copy(update={"unusable": {"b": "its file is missing"}})
    assert [name for name in lab.services if lab.fault_of(name)] == ["b"]
    require_usable(Target(services=("base", "a", "both")), lab)
    with pytest.raises(ConfigurationError, match='"b" cannot be used: its file is missing'):
        require_usable(Target(services=("base", "b")), lab)


def test_what_keeps_compose_from_resolving_anything_is_blamed_on_no_service_that_was_asked_for() -> None:
    lab = LAB.model_copy(update={"unusable": {"": "services[b]: time: invalid duration"}})
    with pytest.raises(ConfigurationError, match=r"nothing can be started, .*: services\[b\]: time") as refused:
        require_usable(Target(services=("a",)), lab)
    assert '"a"' not in refused.value.message
    require_usable(Target(services=()), lab)
