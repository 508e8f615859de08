"""`check` tells what rules.yaml promises and the flags or the machine do not hold."""

import pytest

from spark_mode.lab.project_reading import read_project
from spark_mode.lab.rules_of_project import with_project
from spark_mode.reporting.finding import Finding
from spark_mode.reporting.promises import above_what_is_planned, impossible_modes
from tests.unit.first import SPARK, First, gpu, project, read_back

LAB = project(
    talk=gpu(image="vllm", command=["vllm", "serve", "a/b", "--gpu-memory-utilization", "0.9"], profiles=["talk"]),
    paint=gpu(image="comfyui", profiles=["paint"]),
    page={"image": "page"},
)
RULES = """
workloads:
  talk: {class: llm, footprint: PLANNED}
  paint: {class: image, footprint: 20GB}
modes: {talk: {}, paint: {}}
"""


def test_a_flag_that_takes_more_than_is_planned_is_told_with_both_figures() -> None:
    (found,) = above_what_is_planned(read_back(RULES.replace("PLANNED", "60GB")), LAB, SPARK)
    assert (found.level, found.where) == ("warning", "rules: workloads/talk")
    assert found.message.startswith("is planned with 60.0 GB, and talk takes 117.6 GB: --gpu-memory-utilization 0.9")
    assert found.fix == "plan what it takes, or lower --gpu-memory-utilization"
    assert not [*above_what_is_planned(read_back(RULES.replace("PLANNED", "117GB")), LAB, SPARK)]


def alone(planned: str) -> list[Finding]:
    """Return what is said of the modes of the lab on a Spark."""
    lab = read_project(LAB, {})
    return [*impossible_modes(lab, with_project(read_back(RULES.replace("PLANNED", planned)), lab), SPARK)]


def test_a_mode_that_alone_leaves_less_than_the_floor_is_told() -> None:
    (found,) = alone("117GB")
    assert found.where == "rules: modes/talk"
    assert found.message == "talk alone comes to 122.0 GB: 8.7 GB remain, under the floor of 10.2 GB"
    (found,) = alone("100GB")
    assert found.message == "talk alone comes to 105.0 GB: 25.7 GB remain"
    (found,) = alone("140GB")
    assert found.message == "talk alone comes to 145.0 GB, more than the 130.7 GB that there are"
    assert not alone("60GB")


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            "workloads: {tlak: {class: llm, footprint: 6GB}}\nmodes: {talk: {class: llm}}",
            "the mode talk is of class llm, and nothing that it runs is: talk",
        ),
        (
            "workloads: {talk: {class: llm, footprint: 6GB}, page: {class: web, footprint: 1GB}}\n"
            "rules: [{exclusive: [llm, web]}]\nmodes: {talk: {class: llm, services: [talk, page]}}",
            "it never runs: talk: talk and page exclude each other (llm and web never run together)",
        ),
    ],
)
def test_a_mode_that_can_never_run_is_an_error(rules: str, message: str) -> None:
    lab = read_project(LAB, {})
    (found,) = impossible_modes(lab, with_project(read_back(rules), lab), SPARK)
    assert (found.level, found.message) == ("error", message)


def test_a_mode_of_a_class_that_nothing_is_of_which_it_runs_is_warned_of_where_no_rule_speaks_of_it() -> None:
    lab = read_project(LAB, {})
    text = "workloads: {talk: {class: llm, footprint: 6GB}}\nclasses: {web: {}}\nmodes: {talk: {class: web}}"
    (found,) = impossible_modes(lab, with_project(read_back(text), lab), SPARK)
    assert (found.level, found.where) == ("warning", "rules: modes/talk")
    assert found.message == "nothing that talk runs is of its class web, so no rule about that class will hold for it"
    assert found.fix == (
        "describe what is of class web there under workloads in rules.yaml, or give the mode the class of what it runs: llm"
    )


def test_a_mode_that_can_never_run_is_told_once_for_all_of_its_profiles() -> None:
    lab = read_project(project(talk=gpu(image="a", profiles=["talk"]), paint=gpu(image="b", profiles=["paint"])), {})
    text = "workloads: {talk: {class: llm, footprint: 6GB}, paint: {class: image, footprint: 6GB}}"
    rules = with_project(read_back(f"{text}\nmodes: {{both: {{profiles: [talk, paint]}}}}"), lab)
    (found,) = impossible_modes(lab, rules, SPARK)
    assert found.message == "the mode both has no class in rules.yaml, and what it runs is llm and image"


def test_what_init_writes_for_what_is_not_known_is_never_impossible_modes() -> None:
    first = First(project(a=gpu(image="x", profiles=["a"]), b=gpu(image="y", profiles=["b"]), page={"image": "page"}))
    rules = with_project(first.rules, first.seen.project)
    assert not [*impossible_modes(first.seen.project, rules, SPARK)]
