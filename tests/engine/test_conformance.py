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
POLICIES = {
    **dict.fromkeys(("always", "ran-always", "kept", "new"), "always"),
    **dict.fromkeys(("unless", "ran-unless"), "unless-stopped"),
}
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
  ran-plain: {<<: *one, environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0"}}
  ran-always: {<<: *one, restart: always, environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0"}}
  ran-unless: {<<: *one, restart: unless-stopped, environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0"}}
  kept: {<<: *one, restart: always, environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0"}}
  new: {<<: *one, restart: always, environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0"}}
  once: {<<: *one, environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0", STAND_IN_FAULT: exit-0=0}}
  first: {<<: *one, container_name: the-name, environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0"}}
  second: {<<: *one, container_name: the-name, environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0"}}
  checked:
    <<: *one
    environment: {STAND_IN_MEMORY: 1MB, STAND_IN_LOAD: "0"}
    healthcheck: {test: [CMD, "true"], interval: 1s, start_period: 1m, start_interval: 100ms}
"""
UNCHECKED = ("plain", "always", "unless", "ran-plain", "ran-always", "ran-unless", "kept", "new", "once")
NAMED = ("first", "second")
GONE = "0" * 64


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


def test_a_container_is_created_without_a_start_and_is_the_same_one_over_stops_and_starts_by_compose_and_by_id(
    world: World,
) -> None:
    world.compose.create(["plain", "always"], {})
    assert [(one.service, one.state, one.restart_policy) for one in world.docker.containers(PROJECT)] == [
        ("always", "created", "always"),
        ("plain", "created", "no"),
    ]
    one = seen(world, "plain")
    assert not one.active

    world.compose.start("plain")
    until(lambda: seen(world, "plain").state == "running")
    first = seen(world, "plain").started_at
    world.compose.stop("plain", 20)
    assert seen(world, "plain").state == "exited"
    world.compose.create(["plain"], {})
    world.compose.start("plain")
    until(lambda: seen(world, "plain").state == "running")
    second = seen(world, "plain").started_at
    assert (seen(world, "plain").id, second != first) == (one.id, True)

    for id_ in (one.id, one.id, GONE):
        world.docker.stop(id_, 2)
    assert seen(world, "plain").state == "exited"
    assert world.docker.container(one.id) is not None
    assert world.docker.container(GONE) is None
    world.docker.start(one.id)
    world.docker.start(one.id)
    until(lambda: seen(world, "plain").state == "running")
    assert (seen(world, "plain").id, seen(world, "plain").started_at != second) == (one.id, True)
    with pytest.raises(StartFailed, match="No such container"):
        world.docker.start(GONE)


def test_a_name_is_taken_until_the_container_that_has_it_has_stopped_and_is_removed(world: World) -> None:
    one = running(world, "first")
    world.docker.remove(one.id)
    assert seen(world, "first").state == "running"
    world.docker.stop(one.id, 2)
    with pytest.raises(ComposeFailed, match="already in use"):
        world.compose.create(["second"], {})
    world.docker.remove(one.id)
    world.docker.remove(one.id)
    world.compose.create(["second"], {})
    assert [(seen.service, seen.name) for seen in world.docker.containers(PROJECT)] == [("second", "the-name")]


def test_many_are_started_and_stopped_at_once_and_each_that_cannot_be_is_named(world: World) -> None:
    one, other = running(world, "plain"), running(world, "checked")
    world.docker.stop_all({other.id: 2, one.id: 2, GONE: 2}, {one.id: [other.id]})
    found = world.docker.those([other.id, GONE, one.id])
    assert {now.id: now.state for now in found} == dict.fromkeys((other.id, one.id), "exited")
    failed = world.docker.start_all([one.id, GONE, other.id])
    assert list(failed) == [GONE]
    assert "No such container" in failed[GONE]
    until(lambda: [seen(world, name).state for name in ("plain", "checked")] == ["running", "running"])


def test_a_paused_container_is_active_cannot_be_started_and_goes_on_or_is_stopped_and_a_renamed_one_is_still_its_services(
    world: World,
) -> None:
    """The engine calls a paused container unhealthy without a check, and goes on to until the next one is done."""
    one = running(world, "checked")
    until(lambda: waited(world) and seen(world, "checked").health == "healthy")
    world.rename(one.id, "something-else")
    world.pause(one.id)
    assert (seen(world, "checked").name, seen(world, "checked").state) == ("something-else", "paused")
    assert seen(world, "checked").active
    with pytest.raises(ComposeFailed, match="paused"):
        world.compose.start("checked")
    with pytest.raises(StartFailed, match="paused"):
        world.docker.start(one.id)
    world.docker.unpause(one.id)
    assert seen(world, "checked").state == "running"
    found = {"starting"}
    while "healthy" not in found:
        found.add(seen(world, "checked").health)
        assert found <= {"starting", "healthy"}
        world.wait(0.05)
    world.pause(one.id)
    world.compose.stop("checked", 20)
    assert seen(world, "checked").state == "exited"


def waited(world: World) -> bool:
    """Let some time pass."""
    world.wait(0.05)
    return True


def test_a_restart_policy_starts_again_what_was_killed_and_no_does_not_and_a_start_counts_restarts_anew(world: World) -> None:
    world.compose.create(["plain", "always", "once"], {})
    assert world.docker.start_all([seen(world, name).id for name in ("plain", "always", "once")]) == {}
    until(lambda: seen(world, "once").state == "exited")
    assert seen(world, "once").exit_code == 0
    until(lambda: [seen(world, name).state for name in ("plain", "always")] == ["running", "running"])
    plain, always = seen(world, "plain"), seen(world, "always")
    world.end(plain.id, 137)
    world.end(always.id, 137)
    until(lambda: seen(world, "plain").state == "exited")
    until(lambda: has_restarted(seen(world, "always"), always))
    assert seen(world, "plain").exit_code == 137
    assert seen(world, "always").restart_count == 1
    world.docker.stop(always.id, 2)
    world.docker.start(always.id)
    assert seen(world, "always").restart_count == 0


def has_restarted(now: Container, before: Container) -> bool:
    """Whether it runs anew: the engine counts the restart first, and has the new start time later."""
    return now.state == "running" and now.started_at != before.started_at


def test_a_restart_of_the_engine_starts_what_was_stopped_only_with_always_and_what_ran_unless_its_policy_is_no(
    world: World,
) -> None:
    stopped, ran = ("plain", "always", "unless"), ("ran-plain", "ran-always", "ran-unless")
    world.compose.create([*stopped, *ran, "kept", "new"], {})
    assert world.docker.start_all([seen(world, name).id for name in (*stopped, *ran, "kept")]) == {}
    until(lambda: all(seen(world, name).state == "running" for name in (*stopped, *ran, "kept")))
    kept = seen(world, "kept")
    world.docker.set_restart_policy(kept.id, "no", 0)
    world.docker.stop_all({seen(world, name).id: 2 for name in (*stopped, "kept")})
    world.restart()
    world.wait(1)
    again = ("always", "ran-always", "ran-unless")
    until(lambda: all(seen(world, name).state == "running" for name in again))
    states = {one.service: one.state for one in world.docker.containers(PROJECT)}
    assert {name: state for name, state in states.items() if name not in again} == {
        **dict.fromkeys(("plain", "unless", "ran-plain", "kept"), "exited"),
        "new": "created",
    }
    world.compose.start("kept")
    until(lambda: seen(world, "kept").state == "running")
    assert (seen(world, "kept").id, seen(world, "kept").restart_policy) == (kept.id, "no")
    world.docker.set_restart_policy(kept.id, "always", 0)
    assert seen(world, "kept").restart_policy == "always"
    world.docker.set_restart_policy(GONE, "always", 0)
