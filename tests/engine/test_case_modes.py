"""A lab in which nothing is called audio or training is switched, asked about and shown as any other."""

from collections.abc import Callable

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
    lab.run("restore", "--yes")
    assert set(lab.running()) == {"tune"}
    asked = [one["request"] for one in lab.run("history", "--format", "json").json if one["outcome"] == "applied"]
    assert sorted(asked) == ["image flux", "image sdxl", "restore", "tune"]


def test_what_comes_after_is_for_a_mode_that_runs_to_its_end(lab_of: Callable[[str], Lab]) -> None:
    lab = lab_of("modes")
    refused = lab.run("to", "image", "flux", "--then", "restore", expect=2)
    assert "image does not run to its end" in refused.err
    assert lab.running() == {}


def test_a_lab_whose_files_are_gone_is_stopped_by_the_name_of_its_project(lab_of: Callable[[str], Lab]) -> None:
    lab = lab_of("modes")
    lab.run("image", "flux")
    running = {"flux", "coder"}
    lab.files, lab.rules = (), None
    for gone in ("rules.yaml", "compose.yaml"):
        away = (lab.folder / gone).rename(lab.folder / "away")
        assert "name its project: spark-mode -p NAME stop" in lab.run("stop", expect=3).err
        assert set(lab.running()) == running
        lab.run("-p", lab.project, "stop", *sorted(running)[:1])
        running = {*sorted(running)[1:]}
        assert set(lab.running()) == running
        away.rename(lab.folder / gone)
