"""A lab of three Compose projects on a real engine: switched as one, while each stays a project of its own."""

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.deep import DEEP, deep
from tests.engine.conftest import PROJECT
from tests.engine.guarding import Guarding
from tests.engine.lab import DEADLINE, Lab, ends, until
from tests.engine.labs import copy_of
from tests.engine.witness import Witness

TIMES = 20
REQUESTS = (("training", "--yes"), ("pictures", "--yes"), ("recover",))
GUARDED_SECONDS = 6.0
"""How long two sides that others started may run together: the guard sees it at once, and a stop has its grace of 2 s."""


class Projects(NamedTuple):
    """The lab in the folder of its rules, and each of its other projects as somebody uses it there."""

    lab: Lab
    comfy: Lab
    vllm: Lab

    @property
    def witness(self) -> Witness:
        return Witness(self.lab.project, more=(self.comfy.project, self.vllm.project))

    def running(self) -> set[str]:
        return {service for one in self for service in one.running()}


@pytest.fixture
def projects(tmp_path: Path) -> Iterator[Projects]:
    """The lab with nothing running, under names that no other test has."""
    lab = copy_of("projects", PROJECT, tmp_path)
    made = Projects(lab, *(Lab(f"{PROJECT}-{name}", tmp_path) for name in ("comfy", "vllm")))
    for one, name in zip(made, ("main", "comfy", "vllm"), strict=True):
        one.folder, one.files, one.rules = tmp_path / "projects" / name, (), None
    for one in (made.lab, made.comfy):
        (one.folder / ".env").write_text(f"COMPOSE_PROJECT_NAME={one.project}\nOWN={one.folder.name}\n")
    rules = lab.folder / "rules.yaml"
    rules.write_text(rules.read_text().replace("spark-mode-test-vllm", made.vllm.project))
    for one in made:
        one.down()
    yield made
    for one in made:
        one.down()


def test_three_projects_are_one_lab_and_each_stays_a_project_of_its_own(projects: Projects) -> None:
    lab, comfy, vllm = projects
    lab.run("chat")
    assert (set(lab.running()), set(vllm.running())) == ({"web-ui"}, {"vllm-chat"})
    assert comfy.plain("up", "-d").code == 0, "plain Compose in its folder works as ever"
    assert "OWN=comfy" in lab.docker("inspect", comfy.id_of("comfyui"))
    started = comfy.running()
    assert "nothing to do" in lab.run("plan", "pictures").out, "it is the container that spark-mode would make"
    seen = lab.run("status", "--format", "json").json
    assert {(one["service"], one["project"]) for one in seen["services"]} == {
        ("web-ui", lab.project),
        ("vllm-chat", vllm.project),
        ("comfyui", comfy.project),
    }
    assert (seen["others"], seen["violations"]) == ([one for one in seen["others"] if PROJECT not in one], [])
    planned = lab.run("plan", "training").out
    assert f"comfyui ({comfy.project})" in planned
    assert f"vllm-chat ({vllm.project})" in planned
    with projects.witness as witness:
        lab.run("training")
        assert projects.running() == {"training", "web-ui"}
        lab.run("restore", "--yes")
        assert projects.running() == {"web-ui", "vllm-chat", "comfyui"}
    witness.require(2, 1)
    assert comfy.running().keys() == started.keys()
    assert json.loads(comfy.plain("ps", "--format", "json").out)["Service"] == "comfyui"
    if DEEP:
        lab.run("code")
        assert set(vllm.running()) == {"vllm-code"}
    lab.run("stop")
    assert projects.running() == set()
    assert f"{comfy.project}_models" in comfy.docker("volume", "ls", "--quiet").split()
    refused = comfy.run("status", expect=3)
    assert "no lab yet, and no other is taken for it" in refused.err


def test_a_project_that_compose_cannot_read_stops_nobody_else_and_what_runs_of_it_is_seen_and_stopped(projects: Projects) -> None:
    lab, comfy, _ = projects
    lab.run("pictures")
    (comfy.folder / "compose.yaml").write_text("services: [broken")
    refused = lab.run("up", "comfyui", expect=3)
    assert f"Compose cannot read the project {comfy.project}" in refused.err
    seen = lab.run("status", "--format", "json").json
    assert [(one["service"], one["class"]) for one in seen["services"]] == [("comfyui", "images")]
    assert f"Compose cannot read the project {comfy.project}" in seen["notes"][0]
    lab.run("training")
    assert projects.running() == {"training"}
    for one in projects:
        (one.folder / "compose.yaml").unlink(missing_ok=True)
    lab.run("stop", "--yes")
    assert projects.running() == set()


@deep
def test_training_in_one_project_and_pictures_in_another_never_run_together_whatever_is_killed(
    projects: Projects,
) -> None:
    lab, dice = projects.lab, random.Random(1)
    with projects.witness as witness:
        for _ in range(TIMES):
            lab.run("pictures", "--yes")
            lab.run("training", "--yes")
        for _ in range(TIMES):
            process = lab.spawn(*dice.choice(REQUESTS))
            try:
                process.communicate(timeout=dice.uniform(0.3, 3))
            except subprocess.TimeoutExpired:
                process.kill()
                ends(process)
        lab.run("recover")
    sys.stderr.write(f"{TIMES} alternations, {TIMES} kills, {witness.starts} starts: together {witness.overlaps}\n")
    witness.require(TIMES, TIMES)


def race(projects: Projects, dice: random.Random) -> None:
    """Have plain Compose in both folders and a switch at once, each after a moment of its own."""
    lab, comfy, _ = projects
    acts: tuple[Callable[[], object], ...] = (
        lambda: lab.plain("--profile", "training", "up", "-d"),
        lambda: comfy.plain("up", "-d"),
        lambda: lab.run(*dice.choice(REQUESTS[:2]), "--wait=30", expect=None),
    )
    threads = [threading.Timer(dice.uniform(0, 1), act) for act in acts]
    for one in threads:
        one.start()
    for one in threads:
        one.join(DEADLINE)


def test_with_a_gate_in_both_folders_plain_compose_never_starts_one_beside_the_other(
    projects: Projects,
) -> None:
    lab, comfy, vllm = projects
    said = lab.run("gate", "install").out
    assert str(comfy.folder / "spark-mode.gate.yaml") in said
    assert f"{vllm.project} has none: rules.yaml names its files" in said
    with projects.witness as witness:
        lab.run("training")
        refused = comfy.plain("up", "-d")
        assert refused.code == 1
        assert "comfyui does not start beside training: training" in refused.err
        assert "to have it instead: spark-mode pictures, which stops training" in refused.err
        if DEEP:
            dice = random.Random(1)
            for _ in range(TIMES):
                race(projects, dice)
            guard = Guarding(lab)
            for _ in range(TIMES):
                race(projects, dice)
            guard.end()
            sys.stderr.write(f"{TIMES} races with the gate, {witness.starts} starts: together {witness.overlaps}\n")
    assert witness.overlaps == []
    lab.run("gate", "uninstall")
    assert not (comfy.folder / "spark-mode.gate.yaml").exists()


def test_the_guard_ends_what_others_start_in_one_project_beside_the_other(projects: Projects) -> None:
    lab, comfy, _ = projects
    with projects.witness as witness:
        lab.run("pictures")
        lab.run("training")
        guard = Guarding(lab)
        comfy.docker("start", comfy.id_of("comfyui"))
        until(lambda: projects.running() == {"training"})
        dice = random.Random(1)
        for _ in range(TIMES if DEEP else 0):
            race(projects, dice)
        until(lambda: len(projects.running()) < 2)
    assert "stop comfyui" in guard.end()
    seconds = [(end - begin) / 1e9 for begin, end in witness.overlaps]
    sys.stderr.write(
        f"{len(seconds)} times together with the guard, {witness.starts} starts: seconds {[round(one, 2) for one in seconds]}\n"
    )
    assert max(seconds) <= GUARDED_SECONDS
