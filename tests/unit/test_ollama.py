"""The door to Ollama against a stand-in that speaks its API: what it says is checked, and nothing waits for ever."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from spark_mode.engine import ollama
from spark_mode.engine.doors import HostAbsent, HostedModel, HostFailed
from spark_mode.engine.ollama import OllamaApi
from spark_mode.errors import Interrupted, StepFailed
from spark_mode.lab.rules import Host
from spark_mode.planning.plan import Load
from spark_mode.session.doors import Doors
from spark_mode.session.first_look import listed_by_host
from spark_mode.session.lab import Lab
from spark_mode.session.observe import Observer
from spark_mode.switching.attempt import Attempt
from spark_mode.switching.hosted import HostedModels
from spark_mode.switching.memory_watch import MemoryWatch
from tests.hosted import address, start
from tests.mutated import mutated
from tests.nobody import Nobody
from tests.simulation.lab import PROJECT as LAB
from tests.simulation.lab import RULES, SimulatedSession
from tests.simulation.machine import ComposeOf, NoGpu, SimulatedMachine

CAPACITY = 128 * 10**9
SIZES = {"llama3.1:8b": 3_000_000, "devstral": 2_000_000}
Start = Callable[..., Any]


def quietly() -> None:
    """Do nothing, again and again, while a model is loaded."""


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Start]:
    servers = []

    def make(keep_alive: str = "5m", **faults: str) -> Any:
        servers.append(
            start(tmp_path, SIZES, {f"ollama-{name.replace('_', '-')}": value for name, value in faults.items()}, keep_alive)
        )
        return servers[-1]

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def test_what_a_host_has_is_told_by_the_port_that_it_publishes(hosted: Start) -> None:
    port = str(hosted().server_port)
    assert (
        listed_by_host([f"127.0.0.1:{port}"])
        == listed_by_host([port])
        == {"llama3.1:8b": 3_000_000, "devstral:latest": 2_000_000}
    )
    assert listed_by_host(["1", "x"]) == {}


def test_a_loaded_model_is_listed_with_its_real_size_and_gives_it_back(hosted: Start) -> None:
    server = hosted(grows="1")
    door = OllamaApi(address(server))
    assert door.loaded() == ()
    door.load("devstral", 5, quietly)
    (one,) = door.loaded()
    assert (one.model, one.size, one.context_length) == ("devstral:latest", 3_000_000, 8192)
    assert one.expires_at is not None
    door.unload("devstral", 5)
    assert door.loaded() == ()
    assert server.loaded() == {}


def test_a_model_that_is_not_loaded_can_be_unloaded(hosted: Start) -> None:
    OllamaApi(address(hosted())).unload("devstral", 5)


def test_an_unknown_model_is_named(hosted: Start) -> None:
    with pytest.raises(HostFailed, match="404: model 'nothing' not found"):
        OllamaApi(address(hosted())).load("nothing", 5, quietly)


def test_a_model_may_go_by_itself(hosted: Start) -> None:
    server = hosted(keep_alive="0.2")
    door = OllamaApi(address(server))
    door.load("devstral", 5, quietly)
    while server.loaded():
        pass
    assert door.loaded() == ()


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("hangs", "did not answer /api/ps within 0.3 s"),
        ("drips", "did not answer /api/ps within 0.3 s"),
        ("nonsense", "something that is not JSON"),
        ("wrong_shape", "in a form that is not known"),
        ("errors", "answers /api/ps with 500: out of order"),
    ],
)
def test_an_answer_that_is_late_or_no_answer_is_a_clear_error(
    hosted: Start, fault: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ollama, "ASK_SECONDS", 0.3)
    with pytest.raises(HostFailed, match=says):
        OllamaApi(address(hosted(**{fault: ""}))).loaded()


@pytest.fixture
def saying() -> Iterator[Start]:
    """Something that answers whatever it is asked with what it is told to say."""
    said = [b""]

    class Says(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said[0])

        def log_message(self, *words: object) -> None:
            """Say nothing of it."""

    with HTTPServer(("127.0.0.1", 0), Says) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()

        def door(text: bytes) -> OllamaApi:
            said[0] = text
            return OllamaApi(address(server))

        yield door
        server.shutdown()
        thread.join()


def test_whatever_a_host_answers_is_a_list_of_models_or_a_failure_of_the_host(saying: Start) -> None:
    one = {"name": "devstral:latest", "size": 5, "context_length": 8192, "expires_at": "2026-11-27T06:15:23Z"}
    assert len(saying(json.dumps({"models": [one]}).encode()).loaded()) == 1
    failed = 0
    for answer in (*(json.dumps(each).encode() for each in mutated({"models": [one, one]})), b"[" * 100_000, b"\xff", b""):
        try:
            for found in saying(answer).loaded():
                HostedModel.model_validate(found.model_dump(), strict=True)
        except HostFailed:
            failed += 1
    assert failed


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("lies", "still has devstral loaded, 0.3 s after"),
        ("hangs_unload", "did not answer"),
    ],
)
def test_an_unload_counts_only_when_the_model_is_gone(hosted: Start, fault: str, says: str) -> None:
    door = OllamaApi(address(hosted(**{fault: "0"})))
    door.load("devstral", 5, quietly)
    with pytest.raises(HostFailed, match=says):
        door.unload("devstral", 0.3)


def test_where_nobody_listens_nothing_is_loaded(hosted: Start) -> None:
    server = hosted()
    where = address(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(HostAbsent):
        OllamaApi(where).loaded()


def test_a_model_is_listed_from_the_beginning_of_its_load_and_what_ends_that_closes_the_request(hosted: Start) -> None:
    server = hosted(loads="10")
    door = OllamaApi(address(server))

    def leave() -> None:
        if door.loaded():
            raise Interrupted("interrupted")

    with pytest.raises(Interrupted):
        door.load("devstral", 60, leave)
    door.unload("devstral", 10)
    assert door.loaded() == ()
    assert server.loaded() == {}


@pytest.mark.parametrize("reason", [Interrupted("interrupted"), StepFailed("under the floor")], ids=["Ctrl-C", "the floor"])
def test_a_load_that_is_given_up_leaves_no_model_behind(hosted: Start, reason: Exception) -> None:
    server = hosted(loads="10")
    where = address(server)
    rules = RULES.model_copy(update={"hosts": {"daemon": Host(address=where)}})

    def tick() -> None:
        if server.loaded():
            raise reason

    simulated = SimulatedMachine(LAB, rules, CAPACITY)
    doors = Doors(simulated, ComposeOf(simulated), simulated, NoGpu(), OllamaApi, simulated)
    observer = Observer(simulated, simulated, OllamaApi, LAB, rules, ())
    lab = Lab(LAB, rules, doors, observer)
    models = HostedModels(lab, MemoryWatch(lab, Attempt(SimulatedSession(simulated, Path("absent")), Nobody()), tick))
    with pytest.raises(type(reason)):
        models.load(Load(subject="devstral", cause="requested", host="daemon", model="devstral", seconds=20))
    assert server.loaded() == {}
