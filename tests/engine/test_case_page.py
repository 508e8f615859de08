"""An Ollama, a page that needs it, and a trainer: the page goes with its Ollama, and comes back with it."""

from collections.abc import Callable

import pytest

from tests.deep import DEEP, deep
from tests.engine.lab import Lab

PAGE = {"ollama", "open-webui"}
STATES: list[set[str]] = [set(), {"ollama"}, {"open-webui"}, PAGE]


def test_a_stop_names_two_ways_training_takes_the_page_away_with_its_ollama_and_restore_brings_both_back(
    lab_of: Callable[[str], Lab],
) -> None:
    lab = lab_of("page")
    lab.run("up", "open-webui")
    assert set(lab.running()) == PAGE
    refused = lab.run("stop", "ollama", expect=4).err
    assert "spark-mode stop ollama open-webui" in refused
    assert "spark-mode stop ollama --alone" in refused
    lab.run("stop", "ollama", "--alone")
    assert set(lab.running()) == {"open-webui"}
    lab.run("restore")
    assert set(lab.running()) == PAGE

    stops = [one for one in lab.run("plan", "training", "--format", "json").json["steps"] if one["action"] == "stop"]
    assert [(one["subject"], one["cause"]) for one in stops] == [
        ("open-webui", "needs ollama, and training runs alone"),
        ("ollama", "serves llama, and training runs alone"),
    ]
    lab.run("training")
    assert set(lab.running()) == {"trainer"}
    lab.run("restore")
    assert set(lab.running()) == PAGE
    lab.run("stop", "ollama", "open-webui")
    assert lab.running() == {}

    told = lab.run("training")
    assert set(lab.running()) == {"trainer"}
    assert "open-webui, which belongs to every mode, is not started: it depends on ollama" in told.err
    lab.run("restore")
    assert lab.running() == {}


@pytest.mark.parametrize("asked", ["up training", pytest.param("up trainer --with training", marks=deep)])
def test_from_any_state_the_trainer_runs_and_nothing_of_what_it_excludes(lab_of: Callable[[str], Lab], asked: str) -> None:
    lab = lab_of("page")
    for there in STATES if DEEP else STATES[2:3]:
        lab.run("stop")
        if there:
            lab.compose("up", "--detach", "--no-deps", *sorted(there))
        lab.run(*asked.split())
        assert set(lab.running()) == {"trainer"} | (there & {"open-webui"} if "ollama" not in there else set())
