"""What the doors say is what the real engine and the real Compose say."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from spark_mode.engine.compose import ComposeVerbs
from spark_mode.engine.compose_files import ComposeFiles
from spark_mode.engine.docker import EngineApi
from spark_mode.engine.doors import ChosenVariant, ComposeFailed, StartFailed
from spark_mode.engine.local import local_socket
from spark_mode.engine.project_cache import ProjectCache
from spark_mode.errors import ConfigurationError, EngineUnavailable
from spark_mode.lab.files import LabFiles
from spark_mode.lab.project import Project
from tests.engine import conftest
from tests.engine.lab import FILES, until

pytestmark = pytest.mark.xdist_group("one network")
"""Its address is in the file, and the engine has it once."""
PROJECT = f"{conftest.PROJECT}-doors"
FILE = """
services:
  one:
    image: audio-lab-stand-in:latest
    command: [whisper]
    environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0"}
    stop_grace_period: 1m
    networks: [default, special]
    volumes: ["plain:/plain", "labelled:/labelled"]
networks:
  special:
    driver: bridge
    internal: true
    labels: {b: "<&>", a: "1"}
    driver_opts: {com.docker.network.bridge.enable_icc: "true"}
    ipam: {config: [{subnet: 10.213.7.0/24, gateway: 10.213.7.1}]}
volumes:
  plain:
  labelled: {labels: {b: two, a: one}}
"""


@pytest.fixture
def files(tmp_path: Path) -> Iterator[LabFiles]:
    path = tmp_path / "compose.yaml"
    path.write_text(FILE)
    yield LabFiles(compose=(str(path),), rules="", project_name=PROJECT)
    subprocess.run(
        ["docker", "compose", "-p", PROJECT, "down", "--volumes", "--timeout", "1"], check=True, capture_output=True, timeout=60
    )


def verbs(files: LabFiles, tmp_path: Path) -> ComposeVerbs:
    return ComposeVerbs(files, Project(name=PROJECT), local_socket(), str(tmp_path / "children.lock"), str(tmp_path))


def test_the_hashes_of_services_networks_and_volumes_are_those_that_compose_writes(files: LabFiles, tmp_path: Path) -> None:
    project = ComposeFiles(files, local_socket()).read()
    verbs(files, tmp_path).create(["one"], {})
    engine = EngineApi(local_socket())
    assert {name: one.config_hash for name, one in engine.networks(PROJECT).items()} == project.networks
    assert {name: one.config_hash for name, one in engine.volumes(PROJECT).items()} == project.volumes
    assert {one.compose for one in engine.networks(PROJECT).values()} == {project.compose}
    (container,) = engine.containers(PROJECT)
    assert container.config_hash == project.services["one"].config_hash
    assert container.image_id == engine.images(["audio-lab-stand-in:latest"])["audio-lab-stand-in:latest"]
    assert (container.state, container.service, container.stop_seconds) == ("created", "one", 60)


def test_what_compose_answered_is_used_again_without_asking_and_says_the_same(
    files: LabFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = LabFiles(compose=tuple(str(Path(file).absolute()) for file in FILES), rules="")
    for one in (files, lab):
        asked = ComposeFiles(one, local_socket(), ProjectCache(one, local_socket(), tmp_path))
        project = asked.read()
        with monkeypatch.context() as patch:
            patch.setattr(subprocess, "Popen", None)
            known = ComposeFiles(one, local_socket(), ProjectCache(one, local_socket(), tmp_path))
            assert (known.read(), known.version) == (project, asked.version)


def test_a_container_of_a_variant_says_which_one_it_is(files: LabFiles, tmp_path: Path) -> None:
    verbs(files, tmp_path).create(["one"], {"one": ChosenVariant(name="large", environment={"SIZE": "large"})})
    (container,) = EngineApi(local_socket()).containers(PROJECT)
    assert container.variant == "large"


def test_the_verbs_start_and_stop_what_they_are_told(files: LabFiles, tmp_path: Path) -> None:
    compose, engine = verbs(files, tmp_path), EngineApi(local_socket())
    compose.create(["one"], {})
    compose.start("one")
    (container,) = engine.containers(PROJECT)
    assert container.state == "running"
    until(lambda: engine.last_lines(container.id, 1))  # before it listens to signals a first process does not even get them
    compose.stop("one", 30)
    (container,) = engine.containers(PROJECT)
    assert engine.last_lines(container.id, 1) == ("whisper stopped",)
    assert (container.state, container.health) == ("exited", "none")


def test_a_container_whose_network_is_gone_says_so_and_starts_only_once_it_is_made_anew(files: LabFiles, tmp_path: Path) -> None:
    compose, engine = verbs(files, tmp_path), EngineApi(local_socket())
    compose.create(["one"], {})
    (made,) = engine.containers(PROJECT)
    assert set(made.networks) == set(engine.networks(PROJECT))
    engine.start(made.id)
    engine.stop(made.id, 0)
    (stopped,) = engine.containers(PROJECT)
    assert set(stopped.networks) <= engine.network_names()
    subprocess.run(["docker", "network", "rm", *stopped.networks], check=True, capture_output=True, timeout=60)
    assert not set(stopped.networks) & engine.network_names()
    compose.create(["one"], {})
    with pytest.raises(StartFailed, match="not found"):
        engine.start(made.id)
    compose.create(["one"], {}, anew=True)
    (anew,) = engine.containers(PROJECT)
    engine.start(anew.id)
    assert set(anew.networks) <= engine.network_names()


def test_what_compose_complains_about_is_said_in_one_line(files: LabFiles, tmp_path: Path) -> None:
    with pytest.raises(ComposeFailed, match="no such service: two"):
        verbs(files, tmp_path).create(["two"], {})


def test_a_broken_file_is_named_with_what_compose_says(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("services: [")
    with pytest.raises(ConfigurationError, match=r"broken\.yaml"):
        ComposeFiles(LabFiles(compose=(str(broken),), rules=""), local_socket()).read()


@pytest.mark.parametrize("file", ["oci://somewhere/lab", "https://somewhere/lab.git", "git@somewhere:lab"])
def test_files_from_elsewhere_are_refused(file: str) -> None:
    with pytest.raises(ConfigurationError, match="from elsewhere"):
        ComposeFiles(LabFiles(compose=(file,), rules=""), local_socket()).prefetch()


def test_an_engine_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="does not answer"):
        EngineApi(str(tmp_path / "docker.sock")).identity()


@pytest.mark.parametrize("host", ["ssh://me@spark", "tcp://spark:2375"])
def test_an_engine_on_another_host_is_refused_with_the_command_to_run_there(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(ConfigurationError) as refused:
        local_socket()
    assert "spark spark-mode" in (refused.value.hint or "")
