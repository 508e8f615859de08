"""A rules file of a few lines is enough: what it leaves out has the shipped figures, or follows from what is there."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from spark_mode.lab.unsaid_long_run import SAY_IT, UNSAID
from tests.engine.lab import Lab

pytestmark = pytest.mark.xdist_group("minimal")  # what Compose answered to the one before is known to the next

LabOf = Callable[[str], Lab]


@pytest.fixture
def lab(lab_of: LabOf) -> Lab:
    """The lab of a rules file with ten lines."""
    return lab_of("ten_lines")


def infos(lab: Lab) -> dict[str, str]:
    """Return what `check` says was assumed, by its place."""
    found = lab.run("check", "--format", "json", expect=None).json
    return {one["where"]: one["message"] for one in found if one["message"].startswith("assumed: ")}


def test_ten_lines_switch_a_lab_both_ways_and_back_and_the_rule_is_told_in_a_sentence(lab: Lab) -> None:
    lab.run("audio", "pictures")
    assert set(lab.running()) == {"painter", "page"}
    assert lab.run("status", "--format", "json").json["mode"] == "audio pictures"
    lab.run("training")
    assert set(lab.running()) == {"tuner", "page"}
    assert lab.run("status", "--format", "json").json["mode"] == "training"
    assert "training and audio never run together" in lab.run("plan", "audio", "pictures").out
    lab.run("restore", "--yes")
    assert set(lab.running()) == {"painter", "page"}
    assert lab.run("stop", "--quiet").err == ""
    assert not lab.running()


def test_check_lists_what_was_assumed(lab: Lab) -> None:
    said = infos(lab)
    assert set(said) == {f"rules: {one}" for one in (*SECTIONS, "default_footprint")}
    assert "system 2GB" in said["rules: overhead"]
    assert said["rules: classes"] == "assumed: audio, training"
    assert said["rules: workloads"] == "assumed: the service of its own name: painter, tuner"
    modes = "the profile of its own name: training; audio of class audio, training of class training"
    assert said["rules: modes"] == f"assumed: {modes}"
    assert said["rules: default_footprint"] == "assumed: 1.0 GB for page"


SECTIONS = ("hardware", "limits", "overhead", "classes", "workloads", "rules", "modes")


def test_training_that_does_not_say_that_it_runs_to_its_end_is_told_so_by_check_and_by_every_switch(lab: Lab) -> None:
    note = f"{UNSAID}; {SAY_IT}"
    for request in (("audio", "pictures"), ("training",), ("up", "tuner"), ("stop",)):
        assert note in lab.run("plan", *request, "--format", "json").json["warnings"]
    assert SAY_IT in lab.run("check", expect=None).out
    with (lab.folder / "rules.yaml").open("a") as file:
        file.write("classes: {training: {runs_to_end: true}}\n")
    assert note not in lab.run("plan", "training", "--format", "json").json["warnings"]
    assert SAY_IT not in lab.run("check", expect=None).out


def test_a_service_that_asks_for_a_gpu_and_that_nobody_describes_is_refused_as_before(lab: Lab) -> None:
    text = (lab.folder / "compose.yaml").read_text()
    (lab.folder / "compose.yaml").write_text(text.replace("  page: {", "  page: {gpus: all, "))
    assert "page asks for a GPU and has no workload" in lab.run("plan", "training", expect=3).err


def test_a_mode_whose_class_nothing_tells_is_refused_alone_and_a_switch_names_the_lab_first(lab: Lab) -> None:
    with (lab.folder / "compose.yaml").open("a") as file:
        file.write("  other: {image: other, profiles: [pictures]}\n")
    rules = (lab.folder / "rules.yaml").read_text()
    (lab.folder / "rules.yaml").write_text(rules.replace("workloads:\n", "workloads:\n  other: {class: llm, footprint: 1GB}\n"))
    said = "the mode audio has no class in rules.yaml, and what it runs is "
    (refused,) = [one for one in lab.run("status", "--format", "json").json["changes"] if one["refused"]]
    assert refused["refused"].startswith(said)
    assert said in lab.run("audio", expect=3).err
    assert lab.running() == {}
    assert lab.run("training").err.splitlines()[0] == f"lab     {lab.folder} (project {lab.project})"
    assert set(lab.running()) == {"tuner", "page"}


def steps(plan: Any) -> list[tuple[str, str]]:
    """Return the steps of a plan without their causes, which say how much memory is free at that moment."""
    return [(step["action"], step["subject"]) for step in plan["steps"]]


def test_rules_prints_a_whole_file_that_says_the_same(lab: Lab) -> None:
    assumed, plan = infos(lab), lab.run("plan", "training", "--format", "json").json
    printed = lab.run("rules").out
    (lab.folder / "rules.yaml").write_text(printed)
    assert yaml.safe_load(lab.run("rules").out) == yaml.safe_load(printed) == lab.run("rules", "--format", "json").json
    again = lab.run("plan", "training", "--format", "json").json
    assert {**again, "steps": steps(again)} == {**plan, "steps": steps(plan)}
    assert set(infos(lab)) == set(assumed) - {f"rules: {one}" for one in SECTIONS}


def test_every_screen_names_the_lab_first_and_data_does_not(lab: Lab) -> None:
    first = f"lab     {lab.folder} (project {lab.project})"
    for screen in (("status",), ("check",), ("map",), ("history",), ("calibrate",), ("plan", "training")):
        assert lab.run(*screen, expect=None).out.splitlines()[0] == first
    assert not lab.run("rules").out.startswith("lab")
