"""A workload that is never the lab's to start: it is known by its containers outside, counts and refuses while one runs."""

from collections.abc import Callable, Iterator

import pytest

from tests.engine.lab import Lab, snapshot

pytestmark = pytest.mark.xdist_group("outside only")  # what Compose answered to the one before is known to the next

LABEL, IMAGE = "test.workload=pictures", "audio-lab-stand-in:latest"


@pytest.fixture
def lab(lab_of: Callable[[str], Lab]) -> Lab:
    """The lab with a label of its own: what carries it counts on the whole machine, also for a test beside this one."""
    lab = lab_of("outside_only")
    rules = lab.folder / "rules.yaml"
    rules.write_text(rules.read_text().replace(LABEL, f"{LABEL}-{lab.project}"))
    return lab


@pytest.fixture
def comfy(lab: Lab) -> Iterator[str]:
    """The name of its container, which somebody else has created and not started."""
    name = f"{lab.project}-comfy"
    options = ("--init", "--network", "none", "--name", name, "--label", f"{LABEL}-{lab.project}", "--entrypoint", "sleep")
    lab.docker("create", *options, IMAGE, "1000")
    yield name
    lab.docker("rm", "--force", name)


def of(name: str) -> dict[str, str]:
    """Return what Docker says of a container."""
    (one,) = [one for one in snapshot() if one["name"].lstrip("/") == name]
    return one


def test_while_its_container_runs_it_counts_refuses_what_it_excludes_with_the_command_that_stops_it_and_no_stop_takes_it(
    lab: Lab, comfy: str
) -> None:
    lab.docker("start", comfy)
    before = of(comfy)
    refused = lab.run("training", expect=4).err
    assert f'"{comfy}" outside this lab is running: training runs alone' in refused
    assert f"docker stop {comfy}" in refused
    assert f"docker stop {comfy}" in lab.run("stop", "comfyui", expect=4).err
    lab.run("audio", "a")
    seen = lab.run("status", "--format", "json").json
    assert [one for one in seen["foreign"] if one.startswith(f"{comfy} (comfyui, running")]
    assert seen["memory"]["declared_gb"] == 0.4
    plan = lab.run("plan", "up", "a", "--format", "json").json
    assert [one["name"] for one in plan["budget"]["workloads"]] == ["a", "comfyui"]
    lab.run("stop")
    assert lab.running() == {}
    assert of(comfy) == before


def test_what_starts_beside_a_training_breaks_the_rule_and_the_training_can_go_and_not_come_back(lab: Lab, comfy: str) -> None:
    lab.run("training")
    lab.docker("start", comfy)
    assert lab.run("status", "--format", "json").json["violations"] == [
        "trainer and comfyui exclude each other (training runs alone)"
    ]
    before = of(comfy)
    lab.run("audio", "a")
    assert set(lab.running()) == {"a"}
    assert "training runs alone" in lab.run("restore", expect=4).err
    assert (set(lab.running()), of(comfy)) == ({"a"}, before)


def test_it_is_never_started_and_check_knows_it(lab: Lab) -> None:
    for asked in (("up", "comfyui"), ("audio", "a", "--with", "comfyui"), ("plan", "up", "comfyui")):
        outcome = lab.run(*asked, expect=4)
        assert "comfyui is not this lab's to start" in outcome.out + outcome.err
    assert lab.containers() == []
    findings = [one for one in lab.run("check", "--format", "json", expect=None).json if "comfyui" in one["where"]]
    assert [(one["level"], one["message"].partition(";")[0]) for one in findings] == [("info", "is never started here")]
    assert "comfyui" not in {one["name"] for one in lab.run("map", "--format", "json").json["addable"]}


def test_budget_and_matrix_reckon_with_it(lab: Lab) -> None:
    reckoned = lab.run("budget", "comfyui", "training", "--format", "json").json
    assert (reckoned["total_gb"], reckoned["decision"]) == (0.7, "no")
    (both,) = lab.run("matrix", "--format", "json").json["sets"]
    assert (both["total_gb"], both["decision"]) == (0.7, "no")
