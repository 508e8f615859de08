"""The stand-in for Ollama answers as Ollama does, really holds the memory of its models, and fails as it is asked to."""

import errno
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

MB = 10**6
PATIENCE = 20.0  # seconds after which what should happen has not happened
HANGS = 0.3  # seconds after which an answer that should not come has not come
SIZES = {"llama3.1:8b": 3 * MB, "devstral": 2 * MB}
EMPTY: dict[str, Any] = {"models": []}

_spec = spec_from_file_location("stand_in_ollama", Path(__file__).parents[2] / "compose/stand-in/ollama.py")
assert _spec is not None
assert _spec.loader is not None
ollama: Any = module_from_spec(_spec)
_spec.loader.exec_module(ollama)

# A proxy of the environment is for other hosts than this one.
_open = build_opener(ProxyHandler({})).open


class Reply(NamedTuple):
    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Host:
    """A running stand-in, and how a client talks to it."""

    def __init__(self, server: Any, folder: Path) -> None:
        self.server = server
        self.folder = folder

    def request(self, path: str, body: object = None) -> Request:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return Request(f"http://127.0.0.1:{self.server.server_port}{path}", data=data)

    def ask(self, path: str, body: object = None, timeout: float = PATIENCE) -> Reply:
        try:
            with _open(self.request(path, body), timeout=timeout) as answer:
                return Reply(answer.status, answer.read())
        except HTTPError as error:
            with error:
                return Reply(error.code, error.read())

    def load(self, model: str = "llama3.1:8b", **more: Any) -> Reply:
        return self.ask("/api/generate", {"model": model, **more})

    def unload(self, model: str = "llama3.1:8b", timeout: float = PATIENCE) -> Reply:
        return self.ask("/api/generate", {"model": model, "keep_alive": 0}, timeout)

    def listed(self) -> dict[str, Any]:
        return {model["name"]: model for model in self.ask("/api/ps").json["models"]}

    def held(self) -> int:
        """Return the bytes that are really allocated, which a file with holes has not."""
        return sum(file.stat().st_blocks * 512 for file in self.folder.iterdir())

    def sizes(self) -> list[int]:
        return sorted(file.stat().st_size for file in self.folder.iterdir())


def eventually(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


Start = Callable[..., Host]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    servers = []

    def started(
        *faults: str, sizes: dict[str, int] = SIZES, keep_alive: float = 300, load_seconds: float = 0.0, **values: str
    ) -> Host:
        every = dict.fromkeys(faults, "") | {name.replace("_", "-"): value for name, value in values.items()}
        assert every.keys() <= ollama.FAULTS
        server = ollama.Ollama(0, sizes, every, keep_alive, 4096, tmp_path, load_seconds)
        servers.append(server)
        server.start()
        return Host(server, tmp_path)

    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


def test_it_says_what_it_is_and_what_it_has(start: Start) -> None:
    host = start()
    assert host.ask("/") == (200, b"Ollama is running")
    assert host.ask("/api/version").json == {"version": "0.12.0-stand-in"}
    assert host.ask("/api/tags").json == {
        "models": [
            {"name": "llama3.1:8b", "model": "llama3.1:8b", "size": 3 * MB},
            {"name": "devstral:latest", "model": "devstral:latest", "size": 2 * MB},
        ]
    }
    assert host.ask("/api/ps").json == EMPTY
    assert host.ask("/elsewhere").status == 404
    assert host.ask("/api/elsewhere").status == 404
    assert host.ask("/api/elsewhere", {"model": "devstral"}).status == 404


def test_it_is_healthy_when_it_is_ready(start: Start) -> None:
    host = start()
    assert host.ask("/health").status == 503
    host.server.ready = True
    assert host.ask("/health").status == 200
    assert host.ask("/health").json == {"status": "ok"}


@pytest.mark.parametrize("path", ["/api/generate", "/api/chat"])
def test_a_loaded_model_holds_its_memory_and_is_listed(start: Start, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    host = start(sizes={"llama3.1:8b": 3_500_001})
    answer = host.ask(path, {"model": "llama3.1:8b", "stream": False})
    assert answer.status == 200
    created = answer.json.pop("created_at")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", created)
    assert answer.json == {
        "model": "llama3.1:8b",
        "created_at": created,
        "response": "",
        "done": True,
        "done_reason": "load",
    }
    assert host.sizes() == [3_500_001]
    assert host.held() >= 3_500_001
    model = host.listed()["llama3.1:8b"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", model.pop("expires_at"))
    assert model == {
        "name": "llama3.1:8b",
        "model": "llama3.1:8b",
        "size": 3_500_001,
        "size_vram": 3_500_001,
        "digest": "",
        "details": {},
        "context_length": 4096,
    }
    assert "loaded llama3.1:8b, 3.5 MB\n" in capsys.readouterr().out


@pytest.mark.parametrize("zero", [0, 0.0, "0", "0s"])
@pytest.mark.parametrize(
    ("path", "nothing"), [("/api/generate", {"prompt": ""}), ("/api/generate", {}), ("/api/chat", {"messages": []})]
)
def test_an_unloaded_model_gives_its_memory_back(
    start: Start, path: str, nothing: dict[str, Any], zero: object, capsys: pytest.CaptureFixture[str]
) -> None:
    host = start()
    host.load()
    host.load("devstral")
    answer = host.ask(path, {"model": "llama3.1:8b", "keep_alive": zero, **nothing})
    assert (answer.status, answer.json["done"], answer.json["done_reason"]) == (200, True, "unload")
    assert host.listed().keys() == {"devstral:latest"}
    assert host.sizes() == [2 * MB]
    assert "unloaded llama3.1:8b\n" in capsys.readouterr().out


def test_a_model_that_is_not_loaded_can_be_unloaded(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    host = start()
    host.load()
    assert [host.unload().json["done_reason"] for _ in range(3)] == ["unload"] * 3
    assert host.unload("devstral").status == 200
    assert capsys.readouterr().out.count("unloaded") == 1


@pytest.mark.parametrize("content", [{"prompt": "Why?"}, {"messages": [{"role": "user", "content": "Why?"}]}])
def test_an_answer_with_keep_alive_0_loads_the_model_and_then_lets_it_go(
    start: Start, content: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    host = start()
    assert host.load(keep_alive=0, **content).json["done_reason"] == "load"
    eventually(lambda: host.ask("/api/ps").json == EMPTY)
    out = capsys.readouterr().out
    assert out.index("loaded llama3.1:8b") < out.index("llama3.1:8b expired")


@pytest.mark.parametrize("keep_alive", [0, 300])
def test_an_unknown_model_is_not_found(start: Start, keep_alive: int) -> None:
    host = start()
    answer = host.load("gpt:1t", keep_alive=keep_alive)
    assert (answer.status, answer.json) == (404, {"error": "model 'gpt:1t' not found"})
    assert host.sizes() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        [],
        {},
        {"model": 7},
        {"model": "devstral", "keep_alive": "300"},
        {"model": "devstral", "keep_alive": "soon"},
        {"model": "devstral", "keep_alive": True},
        {"model": "devstral", "keep_alive": []},
    ],
)
def test_a_request_that_makes_no_sense_is_refused(start: Start, body: object) -> None:
    host = start()
    answer = host.ask("/api/generate", body)
    assert answer.status == 400
    assert answer.json["error"]
    assert host.sizes() == []


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("devstral", "devstral:latest"),
        ("devstral:latest", "devstral:latest"),
        ("devstral:24b", "devstral:24b"),
        ("host:5000/me/devstral", "host:5000/me/devstral:latest"),
    ],
)
def test_a_name_without_a_tag_means_the_latest(start: Start, name: str, full: str) -> None:
    host = start(sizes={name: MB})
    for asked in (name, full):
        assert host.load(asked).json["model"] == full
        assert host.listed().keys() == {full}
        assert host.sizes() == [MB]
        host.unload(asked)
        assert host.sizes() == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (300, 300),
        (1.5, 1.5),
        ("5m", 300),
        ("30s", 30),
        ("1h", 3600),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("1.5s", 1.5),
        ("0", 0),
        ("0s", 0),
        (-1, -1),
        ("-1m", -60),
    ],
)
def test_keep_alive_is_seconds_or_a_duration(value: object, seconds: float) -> None:
    assert ollama.duration(value) == seconds


def expiry(host: Host) -> float:
    """Return in how many seconds the model that is loaded will expire."""
    (model,) = host.listed().values()
    return datetime.fromisoformat(model["expires_at"]).timestamp() - time.time()


def test_a_model_tells_when_it_expires_and_every_use_decides_anew(start: Start) -> None:
    host = start(keep_alive=7200)
    for keep_alive, least, most in (("1h", 3000, 3600), (600, 500, 600), (None, 7000, 7200), ("5m", 200, 300)):
        host.load(keep_alive=keep_alive)
        assert least < expiry(host) < most + 1
    assert host.sizes() == [3 * MB]


@pytest.mark.parametrize("never", [-1, "-1s", 1e300])
def test_a_model_can_stay_for_ever(start: Start, never: object) -> None:
    host = start()
    host.load(keep_alive=never)
    assert expiry(host) > 200 * 365 * 24 * 3600
    host.unload()
    assert host.sizes() == []


def test_a_host_can_keep_its_models_for_ever(start: Start) -> None:
    host = start(keep_alive=-1)
    host.load()
    assert expiry(host) > 200 * 365 * 24 * 3600


def test_a_model_whose_time_is_over_gives_its_memory_back(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    host = start(keep_alive=0.2)
    host.load("devstral", keep_alive=-1)
    host.load()
    eventually(lambda: host.listed().keys() == {"devstral:latest"})
    assert host.sizes() == [2 * MB]
    # The line is printed after the model is no longer listed.
    out = ""

    def told() -> bool:
        nonlocal out
        out += capsys.readouterr().out
        return "llama3.1:8b expired\n" in out

    eventually(told)
    assert "unloaded" not in out
    assert host.load().status == 200


def test_loading_takes_its_time(start: Start) -> None:
    host = start(load_seconds=0.3)
    began = time.monotonic()
    host.load()
    assert time.monotonic() - began >= 0.3
    assert host.load().status == 200


def test_two_loads_of_a_model_at_once_are_one(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    host = start(load_seconds=0.3)
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: host.load(), range(5)))
    assert [answer.json["done_reason"] for answer in answers] == ["load"] * 5
    assert capsys.readouterr().out.count("loaded llama3.1:8b") == 1
    assert host.sizes() == [3 * MB]


def test_two_models_load_at_once(start: Start) -> None:
    host = start(load_seconds=0.2)
    with ThreadPoolExecutor() as pool:
        assert {answer.status for answer in pool.map(host.load, SIZES)} == {200}
    assert host.listed().keys() == {"llama3.1:8b", "devstral:latest"}
    assert host.sizes() == [2 * MB, 3 * MB]


def test_an_unload_waits_for_the_load_and_a_look_does_not(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    host = start(load_seconds=1.0)
    with ThreadPoolExecutor() as pool:
        load = pool.submit(host.load)
        eventually(lambda: host.sizes() != [])
        assert host.ask("/api/ps").json == EMPTY
        assert not load.done()
        assert host.unload().json["done_reason"] == "unload"
        assert host.ask("/api/ps").json == EMPTY
        assert host.sizes() == []
        assert load.result(PATIENCE).json["done_reason"] == "load"
    assert capsys.readouterr().out == "loaded llama3.1:8b, 3 MB\nunloaded llama3.1:8b\n"


def test_a_model_for_which_there_is_no_room_is_not_loaded(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    room = 2 * MB
    allocate = os.posix_fallocate

    def scarce(file: int, offset: int, length: int) -> None:
        if length > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        allocate(file, offset, length)

    monkeypatch.setattr(os, "posix_fallocate", scarce)
    host = start()
    answer = host.load()
    assert (answer.status, answer.json) == (500, {"error": "model requires more system memory than is available"})
    assert host.ask("/api/ps").json == EMPTY
    assert host.sizes() == []
    assert capsys.readouterr().out == "cannot load llama3.1:8b: No space left on device\n"
    assert host.load("devstral").status == 200


API: list[tuple[str, object]] = [
    ("/api/version", None),
    ("/api/tags", None),
    ("/api/ps", None),
    ("/api/generate", {"model": "devstral"}),
    ("/api/generate", {"model": "devstral", "keep_alive": 0}),
    ("/api/chat", {"model": "devstral"}),
]


@pytest.mark.parametrize("fault", sorted(ollama.FAULTS))
def test_it_is_healthy_under_every_fault(start: Start, fault: str) -> None:
    host = start(**{fault: "1"})
    host.server.ready = True
    assert host.ask("/health").json == {"status": "ok"}
    assert host.ask("/").status == 200


def test_when_it_hangs_nothing_is_answered(start: Start) -> None:
    host = start("ollama-hangs")
    host.server.ready = True
    for path, body in API:
        with pytest.raises(TimeoutError):
            host.ask(path, body, HANGS)
    assert host.ask("/health").status == 200


def test_when_unloads_hang_all_else_is_answered(start: Start) -> None:
    host = start("ollama-hangs-unload")
    assert host.load().status == 200
    with pytest.raises(TimeoutError):
        host.unload(timeout=HANGS)
    assert host.listed().keys() == {"llama3.1:8b"}
    assert host.load().status == 200
    assert host.sizes() == [3 * MB]


def test_when_it_lies_an_unload_is_answered_and_the_model_stays(start: Start) -> None:
    host = start("ollama-lies")
    host.load()
    assert host.unload().json["done_reason"] == "unload"
    assert host.listed().keys() == {"llama3.1:8b"}
    assert host.sizes() == [3 * MB]


def test_nonsense_is_answered_with_success(start: Start) -> None:
    host = start("ollama-nonsense")
    for path, body in API:
        assert host.ask(path, body) == (200, b"<html>not json</html>")


def test_an_answer_of_another_form_is_json(start: Start) -> None:
    host = start("ollama-wrong-shape")
    assert host.load().status == 200
    assert host.ask("/api/ps").json == {"models": 7}


def test_an_answer_that_drips_never_ends_and_holds_nobody_else_up(start: Start) -> None:
    host = start("ollama-drips")
    began = time.monotonic()
    with _open(host.request("/api/ps"), timeout=PATIENCE) as answer:
        assert [answer.read(1) for _ in range(3)] == [b" "] * 3
        assert time.monotonic() - began >= 0.9
        assert host.load().status == 200
    with _open(host.request("/api/ps"), timeout=HANGS) as answer, pytest.raises(TimeoutError):
        answer.read()


def test_a_model_that_grows_holds_and_reports_more_than_its_size(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    host = start(ollama_grows="1.5")
    host.load()
    assert host.sizes() == [4_500_000]
    assert host.held() >= 4_500_000
    assert {host.listed()["llama3.1:8b"][key] for key in ("size", "size_vram")} == {4_500_000}
    assert {model["name"]: model["size"] for model in host.ask("/api/tags").json["models"]}["llama3.1:8b"] == 3 * MB
    assert capsys.readouterr().out == "loaded llama3.1:8b, 4.5 MB\n"


def test_an_error_is_answered_to_everything(start: Start) -> None:
    host = start("ollama-errors")
    for path, body in API:
        answer = host.ask(path, body)
        assert (answer.status, answer.json) == (500, {"error": "out of order"})
    assert host.sizes() == []


def test_a_model_that_is_unloaded_comes_back(start: Start) -> None:
    host = start(ollama_reloads="0.3")
    host.load()
    for _ in range(2):
        assert host.unload().json["done_reason"] == "unload"
        eventually(lambda: host.listed().keys() == {"llama3.1:8b"})
        assert host.sizes() == [3 * MB]


def test_a_model_that_was_not_loaded_does_not_come_back(start: Start) -> None:
    host = start(ollama_reloads="0")
    host.load("devstral")
    assert host.unload().status == 200
    host.unload("devstral")
    eventually(lambda: host.listed().keys() == {"devstral:latest"})
    assert host.sizes() == [2 * MB]


def test_a_client_that_leaves_is_no_trouble(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    host = start("ollama-drips")
    for _ in range(2):
        with _open(host.request("/api/ps"), timeout=PATIENCE) as answer:
            answer.read(1)
    began = time.monotonic()
    eventually(lambda: host.load().status == 200 and time.monotonic() - began > 1.2)
    assert capsys.readouterr().err == ""
