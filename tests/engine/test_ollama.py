"""Models of the lab's Ollama and of a daemon outside Docker, on a real engine; the stand-in holds what its models take."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import hosted
from tests.deep import DEEP, deep
from tests.engine.lab import LONG, ROOT, SLOW_STOP, Lab, asked_to_stop, docker, ends, interrupt, until

MB = 10**6
SMALL, LARGE = "llama3.1:8b", "llama3.1:70b"
FAILS = (
    ("ollama-errors", "500: out of order"),
    ("ollama-hangs", "did not answer /api/generate within 3 s"),
    ("ollama-nonsense", "something that is not JSON"),
    ("ollama-wrong-shape", "in a form that is not known"),
)
"""How a load may fail, and what is said of it. That each of them is told apart is what tests/unit/test_ollama.py shows."""
SAYS_NOTHING = ("ollama-hangs", "ollama-nonsense", "ollama-drips")


def ask(lab: Lab, path: str, body: dict[str, object] | None = None) -> Any:
    """Ask the lab's Ollama as any client would."""
    address = docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", lab.running()["ollama"][0])
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{address.strip()}:11434{path}", data)
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - it is http
        return json.load(answer)


def loaded(lab: Lab) -> set[str]:
    return {one["name"] for one in ask(lab, "/api/ps")["models"]}


def models(lab: Lab) -> dict[str, Any]:
    return {one["name"]: one for one in lab.run("status", "--format", "json").json["ollama"]}


def test_with_loads_a_model_and_status_tells_expected_from_loaded_also_of_one_that_went_and_of_one_that_nobody_declared(
    lab: Lab,
) -> None:
    lab.run("audio", "chatterbox")
    assert models(lab)[SMALL]["loaded"] is False
    assert models(lab)[SMALL]["expected"] is True
    assert "room is kept, not loaded" in lab.run("status").out
    lab.run("audio", "chatterbox", "--with", SMALL)
    assert loaded(lab) == {SMALL}
    seen = models(lab)[SMALL]
    assert (seen["loaded"], seen["size_gb"], seen["context_length"]) == (True, 0.312, 8192)
    assert seen["expires_at"]

    ask(lab, "/api/generate", {"model": SMALL, "keep_alive": 0})
    until(lambda: loaded(lab) == set())
    assert models(lab)[SMALL]["loaded"] is False
    assert models(lab)[SMALL]["expected"] is True

    ask(lab, "/api/generate", {"model": "unknown"})
    assert models(lab)["unknown:latest"]["expected"] is False
    assert "a model in ollama" in lab.run("status").out


def test_one_model_makes_room_for_another_or_stops_alone_and_training_stops_ollama_with_two_loaded_and_restore_brings_it_back(
    lab: Lab,
) -> None:
    lab.run("up", "ollama", "--with", "coder32b")
    before = lab.running()
    plan = lab.run("plan", "up", "ollama", "--with", "devstral", "--format", "json").json
    assert plan["preemptions"] == [{"name": "coder32b", "reason": "memory", "rule": None, "frees_gb": 4}]
    lab.run("up", "ollama", "--with", "devstral")
    assert loaded(lab) == {"devstral-small-2:24b-instruct-2512-fp16"}
    lab.run("stop", "devstral")
    assert loaded(lab) == set()
    assert lab.running() == before

    for model in (SMALL, LARGE):
        ask(lab, "/api/generate", {"model": model})
    assert f"serves {SMALL}, {LARGE}" in lab.run("plan", "training").out
    lab.run("training")
    assert set(lab.running()) == {"training"}
    lab.run("restore")
    assert set(lab.running()) == {"ollama"}
    assert {name: one["loaded"] for name, one in models(lab).items()} == {SMALL: False, LARGE: False}


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("ollama-lies", "still has llama3.1:70b loaded, 2 s after"),
        pytest.param("ollama-hangs-unload", "did not answer /api/generate within 2 s", marks=deep),
    ],
)
def test_an_unload_that_is_not_one_ends_in_a_clear_error(lab: Lab, fault: str, says: str) -> None:
    lab.run("up", "ollama", OLLAMA_FAULT=fault)
    lab.run("up", "ollama", "--with", LARGE)
    before = lab.running()
    failed = lab.run("restore", "--timeout", "2", expect=1)
    assert says in failed.err
    assert lab.running() == before


def test_a_load_from_an_ollama_that_fails_ends_in_a_clear_error_and_the_way_back_and_so_does_an_interrupt(lab: Lab) -> None:
    lab.run("training")
    for fault, says in FAILS if DEEP else FAILS[:1]:
        failed = lab.run("up", "ollama", "--with", SMALL, "--timeout", "3", "--yes", expect=1, OLLAMA_FAULT=fault)
        assert says in failed.err
        assert set(lab.running()) == {"training"}
    switch = lab.spawn("up", "ollama", "--with", SMALL, "--yes", OLLAMA_FAULT="ollama-hangs")
    until(lambda: any(f'"load {SMALL}"' in lock.read_text() for lock in lab.state_folder.glob("*.lock")))
    interrupt(switch)
    end = ends(switch)
    assert end.code == 130, end
    assert set(lab.running()) == {"training"}


def test_an_ollama_that_says_nothing_does_not_keep_training_from_its_place(lab: Lab) -> None:
    for fault in SAYS_NOTHING if DEEP else SAYS_NOTHING[:1]:
        lab.run("up", "ollama", "--yes", OLLAMA_FAULT=fault)
        assert set(lab.running()) == {"ollama"}
        assert "does not say which models it has loaded" in lab.run("plan", "up", "whisper").out
        lab.run("training", "--yes")
        assert set(lab.running()) == {"training"}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Any]:
    """An Ollama outside Docker, with one model of the rules and one that they don't know."""
    folder = tmp_path / "models"
    folder.mkdir()
    server = hosted.start(folder, {SMALL: 30 * MB, "stranger": 20 * MB}, {})
    yield server
    server.faults = {}
    server.shutdown()
    server.server_close()


def with_daemon(lab: Lab, folder: Path, address: str) -> None:
    """Give the lab rules in which the small model is a daemon's."""
    text = (ROOT / "rules.yaml").read_text().replace(f'model: "{SMALL}", host: ollama', f'model: "{SMALL}", host: daemon')
    text = text.replace("hosts:\n", f"hosts:\n  daemon: {{address: '{address}'}}\n")
    (folder / "base.yaml").write_text(text)
    (folder / "daemon.rules.yaml").write_text("extends: base.yaml\nscale: 1/16\n")
    lab.rules = str(folder / "daemon.rules.yaml")


def test_a_daemon_outside_docker_is_unloaded_for_training_also_of_what_a_client_loads_while_audio_stops_and_reported(
    lab: Lab, tmp_path: Path, daemon: Any
) -> None:
    with_daemon(lab, tmp_path, hosted.address(daemon))
    lab.run("audio", "omni", OMNI_FAULT=SLOW_STOP, STOP_GRACE=LONG)
    daemon.load("stranger:latest", 600)
    assert "a guard unloads it each time" in lab.run("plan", "training").out
    switch = lab.spawn("training")
    omni = asked_to_stop(lab, "omni")
    daemon.load(SMALL, 600)
    docker("kill", omni)
    end = ends(switch)
    assert end.code == 0, end
    assert f"{SMALL} is unloaded at once: training is about to start, and " in end.out
    assert set(lab.running()) == {"training"}
    assert daemon.loaded() == {}
    daemon.load(SMALL, 600)
    assert models(lab)[SMALL]["loaded"] is True
    assert "AGAINST THE RULES" in lab.run("status").out
    assert "is outside Docker" in lab.run("check", expect=None).out


def test_a_daemon_that_keeps_its_model_keeps_training_away(lab: Lab, tmp_path: Path, daemon: Any) -> None:
    with_daemon(lab, tmp_path, hosted.address(daemon))
    daemon.load(SMALL, 600)
    daemon.faults = {"ollama-lies": ""}
    failed = lab.run("training", "--timeout", "2", expect=1)
    assert f"still has {SMALL} loaded" in failed.err
    assert lab.running() == {}


def test_a_daemon_that_does_not_answer_keeps_training_away(lab: Lab, tmp_path: Path, daemon: Any) -> None:
    with_daemon(lab, tmp_path, hosted.address(daemon))
    daemon.faults = {"ollama-nonsense": ""}
    refused = lab.run("training", expect=6)
    assert "does not say which models it has loaded" in refused.err
    assert lab.running() == {}


def test_records_that_cannot_be_written_are_a_warning_and_the_switch_is_done(lab: Lab) -> None:
    lab.run("audio", "omni")
    (records,) = (Path(lab.environment["XDG_STATE_HOME"]) / "spark-mode").glob("*.measured.jsonl")
    records.unlink()
    records.mkdir()
    assert "what this switch measured is not kept" in lab.run("training").err
    assert set(lab.running()) == {"training"}


def test_the_status_stands_when_the_rules_leave_a_service_of_a_mode_out(lab: Lab, tmp_path: Path) -> None:
    with_daemon(lab, tmp_path, "http://127.0.0.1:9")
    base = (tmp_path / "base.yaml").read_text()
    (tmp_path / "base.yaml").write_text(base.replace("ollama: {service: ollama}", "ollama: {address: 'http://127.0.0.1:9'}"))
    own = tmp_path / "own.yaml"
    own.write_text("services: {ollama: {runtime: nvidia}}")  # without a GPU it would count little
    lab.files = (*lab.files, str(own))
    assert "has no workload in rules.yaml" in lab.run("status").out
    assert "admitted; its host needs no start" in lab.run("up", "devstral").out


def test_check_warns_of_a_context_that_is_not_pinned_of_an_fp16_70b_and_of_two_models_at_once(lab: Lab, tmp_path: Path) -> None:
    found = lab.run("check", expect=None).out
    assert "its context is not pinned" not in found
    assert "workloads/llama3.1:70b-fp16: 8.8 GB never fit this machine" in found
    assert "coder32b and devstral together are oom-risk" in found
    assert 'OLLAMA_MAX_LOADED_MODELS: "1"' in found
    own = tmp_path / "own.yaml"
    own.write_text("services: {ollama: {environment: {OLLAMA_CONTEXT_LENGTH: '', OLLAMA_MAX_LOADED_MODELS: '1'}}}")
    lab.files = (*lab.files, str(own))
    found = lab.run("check", expect=None).out
    assert "its context is not pinned: on a Spark Ollama takes 256k tokens" in found
    assert "more than one model may be loaded" not in found
