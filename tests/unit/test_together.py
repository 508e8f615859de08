"""Which modes go together: by what they start, and by what comes along with neither."""

from typing import Any

import pytest

from spark_mode.errors import UsageFault
from spark_mode.lab.project import Project
from spark_mode.lab.project_reading import read_project
from spark_mode.lab.rules import Rules
from spark_mode.lab.size import GB
from spark_mode.planning.request import UpRequest
from spark_mode.planning.resolve import resolve
from spark_mode.planning.together import Together, exclude_each_other, modes_together, named_workloads, of_profile_too
from tests.plan_case import SHIPPED_RULES

SERVICES: dict[str, dict[str, Any]] = {
    "ollama": {"image": "ollama"},
    "page": {"image": "page", "depends_on": {"ollama": {"condition": "service_started"}}},
    **{name: {"image": name, "profiles": [f"with-{name}"]} for name in ("draw", "paint", "sing", "train")},
}
RULES = {
    **{key: SHIPPED_RULES[key] for key in ("hardware", "limits", "overhead")},
    "classes": {name: {"description": name} for name in ("image", "voice", "llm", "tuning")},
    "default_footprint": "1GB",
    "workloads": {
        "llama": {"class": "llm", "model": "llama", "host": "ollama", "footprint": "4GB"},
        "draw": {"class": "image", "service": "draw", "footprint": "10GB"},
        "paint": {"class": "image", "service": "paint", "footprint": "10GB"},
        "sing": {"class": "voice", "service": "sing", "footprint": "10GB"},
        "train": {"class": "tuning", "service": "train", "footprint": "10GB"},
    },
    "hosts": {"ollama": {"service": "ollama"}},
    "rules": [
        {"name": "alone", "exclusive": ["tuning", "llm"], "because": "tuning runs alone"},
        {"name": "one", "at_most": 1, "of": ["image", "voice"], "because": "one at a time"},
    ],
    "modes": {
        "image": {"class": "image", "profiles": ["with-draw", "with-paint"]},
        "voice": {"class": "voice", "services": ["sing"]},
        "tune": {"class": "tuning", "profiles": ["with-train"]},
        "serve": {"class": "llm", "services": ["ollama"]},
    },
}


def judged(project: Project | None, capacity: int = 128 * GB) -> dict[tuple[str, str], Together]:
    pairs = modes_together(Rules.model_validate(RULES), project, capacity)
    return {(one.one.text, one.other.text): one for one in pairs}


def test_what_comes_along_with_every_mode_is_left_out_where_a_rule_excludes_it_beside_two() -> None:
    pairs = judged(read_project({"name": "lab", "services": SERVICES}, dict.fromkeys(SERVICES, "x")))
    tuning = pairs[("voice", "tune with-train")]
    assert tuning.verdict == ("yes", "")
    assert tuning.budget is not None
    assert [one.name for one in tuning.budget.workloads] == ["sing", "train"]
    both = pairs[("image with-draw", "voice")]
    assert both.budget is not None
    assert [one.name for one in both.budget.workloads] == ["draw", "sing", "page"]


def test_a_host_is_kept_apart_from_what_its_models_are() -> None:
    pairs = judged(read_project({"name": "lab", "services": SERVICES}, dict.fromkeys(SERVICES, "x")))
    assert pairs[("tune with-train", "serve")].verdict == ("no", "tuning runs alone")
    assert pairs[("voice", "serve")].verdict == ("yes", "")


def test_the_rule_that_keeps_two_modes_apart_is_told_before_the_memory_that_they_lack() -> None:
    pairs = judged(read_project({"name": "lab", "services": SERVICES}, dict.fromkeys(SERVICES, "x")), 20 * GB)
    assert pairs[("image with-draw", "voice")].verdict == ("no", "one at a time")
    decision, because = pairs[("voice", "tune with-train")].verdict
    assert decision == "no"
    assert "that there are" in because


def test_modes_of_which_every_two_exclude_each_other_are_told_from_those_of_which_some_do() -> None:
    pairs = judged(read_project({"name": "lab", "services": SERVICES}, dict.fromkeys(SERVICES, "x")))
    alike = [one for one in pairs.values() if one.verdict == ("no", "one at a time")]
    assert [one.text for one in exclude_each_other(alike)] == ["image with-draw", "image with-paint", "voice"]
    assert exclude_each_other(alike[:2]) == ()


def test_of_files_that_cannot_be_read_nothing_is_known() -> None:
    pairs = judged(None)
    assert {one.verdict[0] for one in pairs.values()} == {"unknown"}
    assert {one.as_json()["decision"] for one in pairs.values()} == {"unknown"}
    known = judged(read_project({"name": "lab", "services": SERVICES}, dict.fromkeys(SERVICES, "x")))
    shapes = [set(pairs[key].as_json()) ^ set(known[key].as_json()) for key in pairs]
    assert shapes == [set()] * len(pairs)


LAB = read_project({"name": "lab", "services": SERVICES | {"paint": SERVICES["paint"] | {"profiles": ["sing"]}}}, {})


@pytest.mark.parametrize(
    ("name", "workloads"),
    [("sing", ["sing"]), ("with-train", ["train"]), ("page", ["page"]), ("ollama", []), ("llama", ["llama"]), ("draw", ["draw"])],
)
def test_what_can_be_added_has_a_budget_by_the_same_name(name: str, workloads: list[str]) -> None:
    rules = Rules.model_validate(RULES)
    resolve(UpRequest(names=(name,)), LAB, rules)
    assert [one.name for one in named_workloads([name], rules, LAB)] == workloads


@pytest.mark.parametrize("name", ["serve", "nothing"])
def test_a_name_that_up_does_not_take_has_no_budget_and_the_same_is_said_of_it(name: str) -> None:
    rules = Rules.model_validate(RULES)
    with pytest.raises(UsageFault) as of_up:
        resolve(UpRequest(names=(name,)), LAB, rules)
    with pytest.raises(UsageFault) as of_budget:
        named_workloads([name], rules, LAB)
    assert of_up.value.message == of_budget.value.message


def test_where_a_budget_is_of_the_workload_alone_and_a_profile_has_its_name_that_is_said() -> None:
    rules = Rules.model_validate(RULES)
    assert [*of_profile_too(["sing", "draw"], rules, LAB)] == ["sing is the workload alone; its profile starts paint"]
