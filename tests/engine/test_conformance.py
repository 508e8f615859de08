"""What Docker does, as it was measured once: the real engine and the simulated one must both do it, so neither drifts."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from spark_mode.engine.compose import ComposeVerbs
from spark_mode.engine.docker import EngineApi
from spark_mode.engine.doors import Compose, ComposeFailed, Docker, StartFailed
from spark_mode.lab.files import LabFiles
from spark_mode.lab.project import Project
from spark_mode.planning.container import Container
from tests.engine.lab import until
from tests.engine.private import PrivateEngine
from tests.simulation.engine import SimulatedEngine
from tests.simulation.lab import service
from tests.simulation.machine import ComposeOf

PROJECT = "spark-mode-test-conformance"
POLICIES = {"plain": "no", "always": "always", "unless": "unless-stopped", "failing": "always"}
FILE = """
x-one: &one
  image: audio-lab-stand-in:latest
  network_mode: none
  stop_grace_period: 2s
  command: [whisper]
services:
  plain: {<<: *one, environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0"}}
  always: {<<: *one, restart: always, environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0"}}
  unless: {<<: *one, restart: unless-stopped, environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0"}}
  once: {<<: *one, environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0", STAND_IN_FAULT: exit-0=0}}
  first: {<<: *one, container_name: the-name, environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0"}}
  second: {<<: *one, container_name: the-name, environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0"}}
  checked:
    <<: *one
    environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0"}
    healthcheck: {test: [CMD, "true"], interval: 1s, start_period: 1m, start_interval: 100ms}
"""
UNCHECKED = ("plain", "always", "unless", "once")
NAMED = ("first", "second")


class World(Protocol):
    """An engine with its doors, and what others do to it."""

    docker: Docker
    compose: Compose

    def pause(self, id: str) -> None:
        """Pause a container, as somebody else might."""

    def rename(self, id: str, name: str) -> None:
        """Rename a container, as somebody else might."""

    def end(self, id: str, code: int) -> None:
        """Have what runs in a container end with a code."""

    def restart(self) -> None:
        """Restart the engine."""

    def wait(self, seconds: float) -> None:
        """Let time pass."""


class Real:
    """A real engine."""

    def __init__(self, engine: PrivateEngine, folder: Path) -> None:
        file = folder / "compose.yaml"
        file.write_text(FILE)
        files = LabFiles(compose=(str(file),), rules="", project_name=PROJECT)
        self._engine = engine
        self.docker: Docker = EngineApi(engine.socket)
        lock = str(folder / "children.lock")
        self.compose: Compose = ComposeVerbs(files, Project(name=PROJECT), engine.socket, lock, str(folder))

    def pause(self, id: str) -> None:
        self._engine.docker("pause", id)

    def rename(self, id: str, name: str) -> None:
        self._engine.docker("rename", id, name)

    def end(self, id: str, code: int) -> None:
        assert code == 137
        self._engine.process_of(id).kill()

    def restart(self) -> None:
        self._engine.restart()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


class Simulated:
    """The simulated engine."""

    def __init__(self) -> None:
        services = {name: service(name, healthcheck=None) for name in UNCHECKED} | {"checked": service("checked")}
        services |= {name: service(name, healthcheck=None, container_name="the-name") for name in NAMED}
        self._engine = SimulatedEngine(Project(name=PROJECT, services=services))
        self._engine.policies = dict(POLICIES)
        self._engine.ending = {"once": 0}
        self.docker: Docker = self._engine
        self.compose: Compose = ComposeOf(self._engine)

    def pause(self, id: str) -> None:
        self._engine.change(id, state="paused")

    def rename(self, id: str, name: str) -> None:
        self._engine.change(id, name=name)

    def end(self, id: str, code: int) -> None:
        one = self._engine.container(id)
        assert one
        self._engine.die(one.service or "", code)

    def restart(self) -> None:
        self._engine.restart()

    def wait(self, seconds: float) -> None:
        self._engine.sleep(seconds)


@pytest.fixture(params=["simulated", "real"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "simulated":
        yield Simulated()
        return
    engine: PrivateEngine = request.getfixturevalue("engine")
    yield Real(engine, tmp_path)
    ids = engine.docker("ps", "--all", "--quiet").split()
    if ids:
        engine.docker("rm", "--force", *ids)


def seen(world: World, service: str) -> Container:
    (found,) = [one for one in world.docker.containers(PROJECT) if one.service == service]
    return found


def running(world: World, service: str) -> Container:
    """Create and start a service, and return its container once it runs."""
    world.compose.create([service], {})
    world.compose.start(service)
    until(lambda: seen(world, service).state == "running")
    return seen(world, service)


def test_what_is_created_is_not_started_and_keeps_its_policy(world: World) -> None:
    world.compose.create(["plain", "always"], {})
    assert [(one.service, one.state, one.restart_policy) for one in world.docker.containers(PROJECT)] == [
        ("always", "created", "always"),
        ("plain", "created", "no"),
    ]
    assert not seen(world, "plain").active


def test_a_stop_by_compose_or_by_id_ends_in_exited_and_may_be_repeated(world: World) -> None:
    one, other = running(world, "plain"), running(world, "unless")
    world.compose.stop("plain", 20)
    world.docker.stop(other.id, 2)
    world.docker.stop(other.id, 2)
    world.docker.stop("0" * 64, 2)
    assert [seen(world, name).state for name in ("plain", "unless")] == ["exited", "exited"]
    assert world.docker.container(one.id) is not None
    assert world.docker.container("0" * 64) is None


def test_a_name_is_taken_until_the_container_that_has_it_has_stopped_and_is_removed(world: World) -> None:
    one = running(world, "first")
    with pytest.raises(ComposeFailed, match="already in use"):
        world.compose.create(["second"], {})
    world.docker.remove(one.id)
    assert seen(world, "first").state == "running"
    world.docker.stop(one.id, 2)
    with pytest.raises(ComposeFailed, match="already in use"):
        world.compose.create(["second"], {})
    world.docker.remove(one.id)
    world.docker.remove(one.id)
    world.compose.create(["second"], {})
    assert [(seen.service, seen.name) for seen in world.docker.containers(PROJECT)] == [("second", "the-name")]


def test_a_start_uses_the_container_that_is_there(world: World) -> None:
    one = running(world, "plain")
    world.compose.stop("plain", 20)
    world.compose.start("plain")
    until(lambda: seen(world, "plain").state == "running")
    assert seen(world, "plain").id == one.id
    assert seen(world, "plain").started_at != one.started_at


def test_a_start_by_id_uses_the_same_container_and_may_be_repeated_and_one_that_is_gone_fails(world: World) -> None:
    one = running(world, "plain")
    world.docker.stop(one.id, 2)
    world.docker.start(one.id)
    world.docker.start(one.id)
    until(lambda: seen(world, "plain").state == "running")
    assert seen(world, "plain").started_at != one.started_at
    with pytest.raises(StartFailed, match="No such container"):
        world.docker.start("0" * 64)


def test_many_are_started_and_stopped_at_once_and_each_that_cannot_be_is_named(world: World) -> None:
    one, other = running(world, "plain"), running(world, "checked")
    world.docker.stop_all({other.id: 2, one.id: 2, "0" * 64: 2}, {one.id: [other.id]})
    found = world.docker.those([other.id, "0" * 64, one.id])
    assert {now.id: now.state for now in found} == dict.fromkeys((other.id, one.id), "exited")
    failed = world.docker.start_all([one.id, "0" * 64, other.id])
    assert list(failed) == ["0" * 64]
    assert "No such container" in failed["0" * 64]
    until(lambda: [seen(world, name).state for name in ("plain", "checked")] == ["running", "running"])


def test_a_start_counts_restarts_anew(world: World) -> None:
    one = running(world, "always")
    world.end(one.id, 137)
    until(lambda: seen(world, "always").restart_count == 1)
    world.docker.stop(one.id, 2)
    world.docker.start(one.id)
    assert seen(world, "always").restart_count == 0


def test_a_paused_container_is_active_cannot_be_started_and_can_be_stopped(world: World) -> None:
    one = running(world, "plain")
    world.pause(one.id)
    assert seen(world, "plain").state == "paused"
    assert seen(world, "plain").active
    with pytest.raises(ComposeFailed, match="paused"):
        world.compose.start("plain")
    with pytest.raises(StartFailed, match="paused"):
        world.docker.start(one.id)
    world.compose.stop("plain", 20)
    assert seen(world, "plain").state == "exited"


def test_a_paused_container_goes_on(world: World) -> None:
    one = running(world, "plain")
    world.pause(one.id)
    world.docker.unpause(one.id)
    assert seen(world, "plain").state == "running"


def test_what_a_pause_made_unhealthy_is_not_healthy_yet_until_it_was_checked_again(world: World) -> None:
    """The engine calls a paused container unhealthy without a check, and goes on to until the next one is done."""
    one = running(world, "checked")
    until(lambda: waited(world) and seen(world, "checked").health == "healthy")
    world.pause(one.id)
    world.docker.unpause(one.id)
    found = {"starting"}
    while "healthy" not in found:
        found.add(seen(world, "checked").health)
        assert found <= {"starting", "healthy"}
        world.wait(0.05)


def waited(world: World) -> bool:
    """Let some time pass."""
    world.wait(0.05)
    return True


def test_a_renamed_container_is_still_that_of_its_service(world: World) -> None:
    one = running(world, "plain")
    world.rename(one.id, "something-else")
    assert seen(world, "plain").name == "something-else"
    world.compose.stop("plain", 20)
    assert seen(world, "plain").state == "exited"


def test_a_completed_service_is_exited_with_0(world: World) -> None:
    world.compose.create(["once"], {})
    world.compose.start("once")
    until(lambda: seen(world, "once").state == "exited")
    assert seen(world, "once").exit_code == 0


def test_a_restart_policy_starts_again_what_was_killed_and_no_does_not(world: World) -> None:
    plain, always = running(world, "plain"), running(world, "always")
    world.end(plain.id, 137)
    world.end(always.id, 137)
    until(lambda: seen(world, "plain").state == "exited")
    until(lambda: has_restarted(seen(world, "always"), always))
    assert seen(world, "plain").exit_code == 137
    assert seen(world, "always").restart_count == 1


def has_restarted(now: Container, before: Container) -> bool:
    """Whether it runs anew: the engine counts the restart first, and has the new start time later."""
    return now.state == "running" and now.started_at != before.started_at


def test_a_restart_of_the_engine_starts_what_was_stopped_only_with_always(world: World) -> None:
    for name in ("plain", "always", "unless"):
        running(world, name)
        world.compose.stop(name, 20)
    world.restart()
    world.wait(1)
    until(lambda: seen(world, "always").state == "running")
    assert [seen(world, name).state for name in ("plain", "unless")] == ["exited", "exited"]


def test_a_policy_of_no_keeps_it_stopped_over_a_restart_and_survives_the_next_start(world: World) -> None:
    one = running(world, "always")
    world.docker.set_restart_policy(one.id, "no", 0)
    world.compose.stop("always", 20)
    world.restart()
    world.wait(1)
    assert seen(world, "always").state == "exited"
    world.compose.start("always")
    until(lambda: seen(world, "always").state == "running")
    assert (seen(world, "always").id, seen(world, "always").restart_policy) == (one.id, "no")
    world.docker.set_restart_policy(one.id, "always", 0)
    assert seen(world, "always").restart_policy == "always"
    world.docker.set_restart_policy("0" * 64, "always", 0)


def test_a_restart_of_the_engine_brings_back_what_ran_unless_its_policy_is_no(world: World) -> None:
    for name in ("plain", "always", "unless"):
        running(world, name)
    world.restart()
    world.wait(1)
    until(lambda: [seen(world, name).state for name in ("always", "unless")] == ["running", "running"])
    assert seen(world, "plain").state == "exited"


def test_what_was_created_and_never_started_is_not_started_with_the_engine(world: World) -> None:
    world.compose.create(["always"], {})
    world.restart()
    world.wait(1)
    assert seen(world, "always").state == "created"


def test_a_create_keeps_a_stopped_container_that_is_what_the_files_say(world: World) -> None:
    one = running(world, "plain")
    world.compose.stop("plain", 20)
    world.compose.create(["plain"], {})
    assert seen(world, "plain").id == one.id
