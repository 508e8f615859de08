"""The lab that most people have, an Ollama with its page beside a run that tunes, switched both ways by ten lines of rules."""

from collections.abc import Callable

import pytest

from tests.engine.lab import Lab

CHAT = {"ollama", "open-webui"}


@pytest.fixture
def lab(lab_of: Callable[[str], Lab]) -> Lab:
    return lab_of("chat_and_tuning")


def mode(lab: Lab) -> str:
    found: str = lab.run("status", "--format", "json").json["mode"]
    return found


def test_a_chat_page_makes_room_for_a_run_and_comes_back(lab: Lab) -> None:
    lab.run("chat")
    assert (set(lab.running()), mode(lab)) == (CHAT, "chat")
    lab.run("tune")
    assert (set(lab.running()), mode(lab)) == ({"finetune"}, "tune")
    lab.run("restore", "--yes")
    assert (set(lab.running()), mode(lab)) == (CHAT, "chat")


def test_the_page_is_not_brought_along_to_the_run(lab: Lab) -> None:
    assert lab.run("plan", "tune", "--format", "json").json["target"] == ["finetune"]
