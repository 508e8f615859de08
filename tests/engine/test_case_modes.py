"""A lab in which nothing is called audio or training is switched, asked about and shown as any other."""

from collections.abc import Callable

import pytest

from tests.engine.lab import Lab


def test_modes_of_any_name_follow_each_other_and_the_long_run_is_asked_about(lab_of: Callable[[str], Lab]) -> None:
    lab = lab_of("modes")
    lab.run("image", "flux")
    assert set(lab.running()) == {"flux", "coder"}
    assert lab.run("status", "--format", "json").json["mode"] == "image flux"
    lab.run("tune")
    assert set(lab.running()) == {"tune"}
    assert lab.run("status", "--format", "json").json["mode"] == "tune"
    plan = lab.run("plan", "image", "sdxl", "--format", "json").json
    assert [one["name"] for one in plan["preemptions"]] == ["tune"]
    assert "--yes" in lab.run("up", "flux", expect=4).err
    lab.run("to", "image", "sdxl")
    assert set(lab.running()) == {"sdxl", "coder"}
    lab.run("image", "flux")
    assert set(lab.running()) == {"flux", "coder"}
    lab.run("restore")
    assert set(lab.running()) == {"sdxl", "coder"}
    asked = [one["request"] for one in lab.run("history", "--format", "json").json if one["outcome"] == "applied"]
    assert sorted(asked) == ["image flux", "image flux", "image sdxl", "restore", "tune"]


def test_what_comes_after_is_for_a_mode_that_runs_to_its_end(lab_of: Callable[[str], Lab]) -> None:
    lab = lab_of("modes")
    refused = lab.run("to", "image", "flux", "--then", "restore", expect=2)
    assert "image does not run to its end" in refused.err
    assert lab.running() == {}


@pytest.mark.parametrize("gone", ["compose.yaml", "rules.yaml"])
def test_a_lab_whose_files_are_gone_is_stopped_by_the_name_of_its_project(gone: str, lab_of: Callable[[str], Lab]) -> None:
    lab = lab_of("modes")
    lab.run("image", "flux")
    (lab.folder / gone).unlink()
    lab.files, lab.rules = (), None
    assert "name its project: spark-mode -p NAME stop" in lab.run("stop", expect=3).err
    assert set(lab.running()) == {"flux", "coder"}
    lab.run("-p", lab.project, "stop")
    assert lab.running() == {}
