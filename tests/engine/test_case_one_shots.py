"""A service that ends by itself with exit code 0, and that nobody awaits, is part of its mode."""

from collections.abc import Callable

import pytest

from tests.engine.lab import Lab, give_the_word, state, until

RUNNING = {"page", "worker"}
"""What goes on of the mode that is quick."""


@pytest.fixture
def lab(lab_of: Callable[[str], Lab]) -> Lab:
    return lab_of("one_shots")


def starts(lab: Lab) -> dict[str, str]:
    return {one["service"]: one["started"] for one in lab.containers()}


def test_what_ends_well_is_part_of_its_mode_and_runs_again_only_when_it_is_created_anew_or_was_stopped(lab: Lab) -> None:
    done = lab.run("audio", "quick")
    assert "pull, retried: completed" in done.out
    status = lab.run("status", "--format", "json").json
    assert status["mode"] == "audio quick"
    assert {one["service"]: one["state"] for one in status["services"]} == {
        **dict.fromkeys(RUNNING, "running"),
        "pull": "exited (0)",
        "retried": "exited (0)",
    }
    before = starts(lab)
    assert "page, worker run already; pull, retried: completed" in lab.run("audio", "quick").out
    assert starts(lab) == before

    lab.run("training")
    assert ended_with(lab, "worker") == "0"
    lab.run("audio", "quick")
    assert set(lab.running()) == RUNNING
    assert (starts(lab)["pull"], starts(lab)["retried"]) == (before["pull"], before["retried"])

    lab.run("stop", "worker")
    assert lab.run("status", "--format", "json").json["mode"] == "custom"
    lab.run("audio", "quick", TAG="two")
    assert set(lab.running()) == RUNNING
    assert starts(lab)["pull"] != before["pull"]
    assert starts(lab)["retried"] == before["retried"]

    lab.docker("rm", lab.id_of("pull"))
    lab.compose("stop")
    assert lab.run("status", "--format", "json").json["mode"] == "idle"
    lab.run("audio", "quick", TAG="two")
    assert set(lab.running()) == RUNNING
    assert state(lab)["pull"] == "exited"

    running = lab.running()
    assert "broken did not start: it exited with code 3" in lab.run("up", "broken", expect=1).err
    assert "web did not start: it exited with code 0" in lab.run("up", "web", expect=1).err
    assert lab.running() == running


def test_what_ends_after_the_switch_does_not_run_again_while_the_mode_is_on(lab: Lab) -> None:
    lab.run("audio", "slow")
    give_the_word(lab, "fetch")
    until(lambda: state(lab)["fetch"] == "exited")
    assert lab.run("status", "--format", "json").json["mode"] == "audio slow"
    assert "page runs already; fetch: completed" in lab.run("audio", "slow").out


def ended_with(lab: Lab, service: str) -> str:
    return lab.docker("inspect", "--format", "{{.State.ExitCode}}", lab.id_of(service)).strip()
