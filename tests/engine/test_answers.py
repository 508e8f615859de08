"""What answers in place of Compose or of the engine may say anything, slowly or for ever: a clear error, and no harm."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest

from spark_mode.engine import docker as engine_api
from spark_mode.engine.compose_files import ComposeFiles
from spark_mode.engine.docker import EngineApi
from spark_mode.engine.local import local_socket
from spark_mode.errors import ConfigurationError, EngineUnavailable
from spark_mode.lab.files import LabFiles
from tests.deep import DEEP
from tests.engine.lab import Lab
from tests.fake_engine import fake_engine

METADATA = '{"SchemaVersion":"0.1.0","Vendor":"x","Version":"2.40.3"}'
GOOD = '{"name":"x","services":{"a":{"image":"x"}}}'


def compose_that(folder: Path, config: str, hashes: str = "echo a 1") -> dict[str, str]:
    """Put a plugin in Compose's place that answers with these shell commands; return what makes Docker use it."""
    plugin = folder / "cli-plugins" / "docker-compose"
    plugin.parent.mkdir(parents=True)
    cases = f"*metadata*) echo '{METADATA}';; *--hash*) {hashes};; *config*) {config};; *) echo 2.40.3;;"
    plugin.write_text(f"#!/bin/sh\ncase $* in {cases} esac\n")
    plugin.chmod(0o755)
    return {"DOCKER_CONFIG": str(folder)}


@pytest.mark.parametrize(
    ("config", "hashes", "begins"),
    [
        (f"echo 'Update me!'; echo '{GOOD}'", "echo a 1", "Update me!"),
        ("true", "echo a 1", "it said nothing"),
        ("echo '[1]'", "echo a 1", "[1]"),
        ('echo \'{"services":{"a":1}}\'', "echo a 1", '{"services"'),
        ('echo \'{"name":"x","services":{"a":{"depends_on":1}}}\'', "echo a 1", '{"name"'),
        ("head -c 200000 /dev/zero | tr '\\0' '['", "echo a 1", "[[["),
        (f"echo '{GOOD}'", "echo what is this", "what is this"),
    ],
    ids=["a line before it", "nothing", "another kind", "another service", "another dependency", "nested", "other hashes"],
)
def test_an_answer_of_compose_that_is_of_another_form_is_said(
    lab: Lab, tmp_path: Path, config: str, hashes: str, begins: str
) -> None:
    refused = lab.run("plan", "training", expect=3, **compose_that(tmp_path / "docker", config, hashes))
    assert f"is not understood; it begins: {begins}" in refused.err


def test_an_answer_of_compose_that_is_larger_than_any_project_is_not_kept_in_memory(lab: Lab, tmp_path: Path) -> None:
    for number, stream in enumerate(("", ">&2")):
        endless = compose_that(tmp_path / str(number), f"head -c 200000000 /dev/zero {stream}")
        assert "answers more than 16 MiB" in lab.run("plan", "training", expect=3, **endless).err


REMOTE = ("oci://registry.invalid/lab", "https://github.invalid/x/lab.git", "git@github.invalid:x/lab.git")


WAYS = ("include: ['{}']", "include: [{{path: ['{}']}}]", "services: {{a: {{extends: {{file: '{}', service: a}}}}}}")
EACH_ONCE = [(file, how, number % 2 == 0) for number, (file, how) in enumerate(zip(REMOTE, WAYS, strict=True))]
"""Each kind of file, and each way to name one, in the file and in what it includes."""


@pytest.mark.parametrize("file, how, inner", [*product(REMOTE, WAYS, (False, True))] if DEEP else EACH_ONCE)
def test_a_file_from_elsewhere_is_refused_and_not_fetched_wherever_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, how: str, inner: bool
) -> None:
    (tmp_path / "bin").mkdir()
    fetching = tmp_path / "bin" / "git"
    fetching.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/fetched\nexit 1\n')
    fetching.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fetching.parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "compose.yaml").write_text(how.format(file) + "\n")
    (tmp_path / "outer.yaml").write_text("include: [compose.yaml]\n")
    outer = tmp_path / ("outer.yaml" if inner else "compose.yaml")
    with pytest.raises(ConfigurationError, match="from elsewhere are not used, and it includes or extends one"):
        ComposeFiles(LabFiles(compose=(str(outer),), rules=""), local_socket()).read()
    assert not (tmp_path / "fetched").exists()


@contextmanager
def engine_that(folder: Path, answers: Callable[[socket.socket], None]) -> Iterator[str]:
    """Let something else listen in the engine's place; return the path of its socket."""
    path = str(folder / "docker.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        def serve() -> None:
            with listening.accept()[0] as connection:
                try:
                    answers(connection)
                except OSError:
                    return  # whoever asked has gone

        thread = threading.Thread(target=serve)
        thread.start()
        yield path
        thread.join()


HEAD = b"HTTP/1.0 200 OK\r\n\r\n"


def drip(connection: socket.socket) -> None:
    """Answer one byte after the other, each in good time, and all of it a quarter of a minute later."""
    gone = threading.Event()
    for byte in HEAD + b"[]".rjust(40):
        gone.wait(0.25)
        connection.sendall(bytes([byte]))


def flood(connection: socket.socket) -> None:
    """Answer with far more than the engine ever says."""
    connection.sendall(HEAD)
    for _ in range(200):
        connection.sendall(b" " * (1 << 20))


def test_a_call_has_one_deadline_however_often_the_engine_says_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_api, "READ_SECONDS", 1.0)
    with engine_that(tmp_path, drip) as path, pytest.raises(EngineUnavailable, match="did not answer within 1 s"):
        EngineApi(path).others("x")


def test_an_answer_of_the_engine_that_is_larger_than_any_is_not_kept_in_memory(tmp_path: Path) -> None:
    with engine_that(tmp_path, flood) as path, pytest.raises(EngineUnavailable, match="answers more than 64 MiB"):
        EngineApi(path).others("x")


def none(connection: socket.socket) -> None:
    """Answer with something that, read as a list, is an empty one."""
    connection.recv(1 << 16)
    connection.sendall(HEAD + b"{}")


def test_an_answer_of_the_engine_that_is_no_list_does_not_mean_that_nothing_runs(tmp_path: Path) -> None:
    with (
        engine_that(tmp_path, none) as path,
        pytest.raises(EngineUnavailable, match=r"answer to GET /containers/json has not the expected form"),
    ):
        EngineApi(path).others("x")


@pytest.mark.parametrize("strange", [{}, []], ids=str)
def test_an_engine_that_answers_in_another_form_is_exit_6_and_says_what_was_asked(
    lab: Lab, tmp_path: Path, strange: object
) -> None:
    with fake_engine(tmp_path, {"/info": strange}) as engine:
        for verb in ("status", "training", "stop", "history", "recover") if strange == {} else ("status", "training"):
            outcome = lab.run(verb, expect=6, DOCKER_HOST=f"unix://{engine.socket}")
            assert "the engine's answer to GET /info has not the expected form" in outcome.err
            assert "see what answers there: docker info" in outcome.err


@pytest.mark.parametrize("path", ["/containers/json", "/networks", "/volumes", "/images/json"])
def test_whatever_is_asked_an_answer_of_another_form_is_exit_6(lab: Lab, tmp_path: Path, path: str) -> None:
    info = {"ID": "1", "ServerVersion": "28.5.2"}
    good = {"/info": info, "/containers/json": [], "/networks": [], "/volumes": {"Volumes": None}, "/images/json": []}
    with fake_engine(tmp_path, good | {path: "x"}) as engine:
        for verb in (("status",), ("training", "--yes")) if DEEP or path == "/containers/json" else (("status",),):
            outcome = lab.run(*verb, expect=6, DOCKER_HOST=f"unix://{engine.socket}")
            assert f"the engine's answer to GET {path} has not the expected form" in outcome.err
