"""What modes take in counts: never so little that two run together which a rule keeps apart."""

from itertools import combinations
from typing import Any

import pytest

from spark_mode.lab.project import Project
from spark_mode.lab.project_reading import read_project
from spark_mode.lab.rules import Rules
from spark_mode.lab.size import GB
from spark_mode.planning.demand import Demand, Demands, demands
from spark_mode.planning.together import modes_together
from tests.simulation.lab import PROJECT, RULES
from tests.unit import test_together

LAB = Rules.model_validate(test_together.RULES)
OF_LAB = read_project({"name": "lab", "services": test_together.SERVICES}, dict.fromkeys(test_together.SERVICES, "x"))
LABS = {"the audio lab": (RULES, PROJECT), "a lab of four classes": (LAB, OF_LAB)}


def has_room(needs: Demands, *jobs: Demand) -> bool:
    """Whether Slurm would have these jobs on one machine, memory left aside."""
    return all(sum(job.pools.get(pool.name, 0) for job in jobs) <= pool.count for pool in needs.pools)


@pytest.mark.parametrize("name", LABS)
def test_what_a_rule_keeps_apart_finds_no_room_together(name: str) -> None:
    rules, project = LABS[name]
    needs, kept_apart = demands(rules, project, 128 * GB), 0
    for pair in modes_together(rules, project, 128 * GB):
        one, other = needs.of(pair.one.text), needs.of(pair.other.text)
        assert one
        assert other
        if pair.budget and pair.budget.compute == "no" and pair.budget.decision == "no":
            kept_apart += 1
            assert not has_room(needs, one, other), (one.mode, other.mode)
    assert kept_apart > 3


@pytest.mark.parametrize("name", LABS)
def test_each_mode_alone_has_room_and_two_of_a_class_have_none(name: str) -> None:
    needs = demands(*LABS[name], 128 * GB)
    assert all(has_room(needs, one) for one in needs.modes)
    for one, other in combinations(needs.modes, 2):
        if one.class_ == other.class_:
            assert not has_room(needs, one, other)


def with_rules(*rules: dict[str, Any]) -> Demands:
    free = {name: {"image": name, "profiles": [name]} for name in ("draw", "sing", "train", "chat")}
    modes = {name: {"class": name, "services": [name]} for name in free}
    workloads = {name: {"class": name, "service": name, "footprint": "4GB"} for name in free}
    text = {**test_together.RULES, "classes": {}, "hosts": {}, "workloads": workloads, "modes": modes, "rules": list(rules)}
    project = read_project({"name": "lab", "services": free}, dict.fromkeys(free, "x"))
    return demands(Rules.model_validate(text), project, 128 * GB)


def test_what_no_rule_keeps_apart_has_room_together() -> None:
    needs = with_rules({"name": "apart", "exclusive": ["train", "draw"], "because": "b"})
    draw, sing, train, chat = needs.modes
    assert has_room(needs, draw, sing, chat)
    assert has_room(needs, sing, train, chat)
    assert not has_room(needs, draw, train)


def test_at_most_so_many_are_counted() -> None:
    needs = with_rules({"name": "two", "at_most": 2, "of": ["draw", "sing", "chat"], "because": "b"})
    draw, sing, train, chat = needs.modes
    assert has_room(needs, draw, sing, train)
    assert not has_room(needs, draw, sing, chat)


def test_three_that_exclude_each_other_have_one_place() -> None:
    needs = with_rules({"name": "one", "exclusive": ["draw", "sing", "chat"], "because": "b"})
    draw, sing, train, chat = needs.modes
    assert has_room(needs, draw, train)
    assert not any(has_room(needs, *two) for two in combinations((draw, sing, chat), 2))


def test_memory_is_what_the_rules_leave_for_modes_and_each_mode_its_own_share() -> None:
    needs = demands(RULES, PROJECT, 128 * GB)
    assert needs.memory == 98 * GB, "tight, less the system's own"
    training = needs.of("training")
    assert training
    assert training.memory == (12 + 2) * GB


def test_a_mode_that_does_not_fit_is_left_out_and_said_why() -> None:
    needs = demands(RULES, PROJECT, 30 * GB)
    assert "training does not fit this machine" in needs.left_out["training"]
    assert needs.of("training") is None


def test_a_mode_whose_profile_is_not_there_is_left_out() -> None:
    services = {name: one for name, one in PROJECT.services.items() if name != "training"}
    needs = demands(RULES, Project(name="lab", services=services), 128 * GB)
    assert [*needs.left_out] == ["training"]
