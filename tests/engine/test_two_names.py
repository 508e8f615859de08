"""One lab under two project names, on an engine of the tests' own: each name sees what runs under the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deep import DEEP, deep
from tests.engine.lab import FILES, Lab, ends, interrupt, snapshot, until
from tests.engine.private import PrivateEngine

MACHINE = ("tests/engine/private.yaml", "tests/engine/machine.yaml")
RULES = "tests/engine/machine.rules.yaml"


def named(project: str, home: Path, host: str | None) -> Lab:
    """Return the lab under a name; what runs under any other name on its engine counts for it."""
    lab = Lab(project, home, host)
    lab.files, lab.rules = (*FILES, *MACHINE), RULES
    return lab


@pytest.fixture
def both(engine: PrivateEngine, home: Path) -> Iterator[tuple[Lab, Lab]]:
    """The same lab, of the same user, under two names."""
    labs = tuple(named(f"spark-mode-test-{name}", home, engine.host) for name in ("aa", "bb"))
    for one in labs:
        one.down()
    yield labs[0], labs[1]
    for one in labs:
        one.down()


@pytest.mark.parametrize(
    ("first", "then", "name"),
    [
        pytest.param(("audio", "omni"), ("training",), "omni", id="training beside audio"),
        pytest.param(("training",), ("audio", "omni"), "training", id="audio beside training", marks=deep),
    ],
)
def test_the_same_lab_under_another_name_is_refused_with_the_command_that_stops_it_and_shown_and_left_by_a_stop(
    both: tuple[Lab, Lab], first: tuple[str, ...], then: tuple[str, ...], name: str
) -> None:
    aa, bb = both
    aa.run(*first)
    before = snapshot(aa.environment)
    container = f"{aa.project}-{name}-1"
    refused = bb.run(*then, expect=4)
    assert f'"{container}" of the project {aa.project} is running' in refused.err
    assert f"docker stop {container}" in refused.err

    seen = bb.run("status", "--format", "json").json
    assert [one.partition(" ")[0] for one in seen["foreign"]] == [container]
    assert aa.project in seen["foreign"][0]
    assert container not in {*seen["others"], *(one["name"] for one in seen["holders"])}
    assert seen["memory"]["declared_gb"] == aa.run("status", "--format", "json").json["memory"]["declared_gb"] > 0
    listed = bb.run("plan", *then, "--format", "json", expect=4).json["budget"]["workloads"]
    assert {name, then[-1]} <= {one["name"] for one in listed}
    bb.run("stop")
    assert snapshot(aa.environment) == before

    aa.docker("stop", container)
    bb.run(*then)
    aa.run(*first, expect=4)
    assert aa.running() == {}


def test_check_warns_of_a_label_that_hides_a_lab_of_the_machine_from_all_others(lab: Lab) -> None:
    def hidden() -> str:
        found = [one for one in lab.run("check", "--format", "json", expect=None).json if one["where"] == "scope"]
        assert len(found) <= 1
        return found[0]["message"].partition(":")[0] if found else ""

    lab.run("audio", "omni")
    assert hidden() == "", "it is a lab of its own, and says so"
    lab.rules = RULES
    assert hidden() == "no other lab sees chatterbox, f5, ollama, omni, qwen, training, whisper, xtts"
    lab.files = (*FILES, MACHINE[1])
    assert hidden() == f"no other lab sees {lab.project}-omni-1"


def test_a_foreign_training_container_is_named_and_never_touched(both: tuple[Lab, Lab]) -> None:
    lab, _ = both
    settings = ("--network", "none", "-e", "STAND_IN_MEMORY=1MB", "-e", "STAND_IN_LOAD=0")
    label = ("--label", "org.spark-mode.workload=tetris")  # an alias of training
    lab.docker("run", "--detach", "--name", "run-7", *label, *settings, "audio-lab-stand-in:latest", "omni")
    try:
        refused = lab.run("audio", "omni", expect=4)
        assert '"run-7" outside this lab is running' in refused.err
        assert "docker stop run-7" in refused.err
        assert "run-7 (training, running)" in lab.run("status").out
        lab.run("stop")
        assert lab.docker("inspect", "--format", "{{.State.Status}}", "run-7").strip() == "running"
    finally:
        lab.docker("rm", "--force", "run-7")


def test_of_two_switches_at_once_under_two_names_one_runs(both: tuple[Lab, Lab]) -> None:
    aa, bb = both
    for _ in range(3 if DEEP else 1):
        codes = [ends(one).code for one in [aa.spawn("audio", "omni"), bb.spawn("training")]]
        assert sorted(codes) in ([0, 4], [0, 5])
        assert len({*aa.running(), *bb.running()}) == 1
        aa.run("stop")
        bb.run("stop")


def test_a_switch_under_another_name_and_on_another_engine_waits_for_the_lock(both: tuple[Lab, Lab], home: Path) -> None:
    aa, bb = both
    elsewhere = named(f"{aa.project}-elsewhere", home, None)
    process = aa.spawn("audio", "omni", OMNI_FAULT="never-healthy")
    until(aa.running)
    assert "another switch is running: audio omni" in bb.run("status").out
    for one in (bb, elsewhere):
        assert "another switch is running: audio omni" in one.run("stop", expect=5).err
    interrupt(process)
    assert ends(process).code == 130
    bb.run("stop")


def test_a_lab_of_its_own_is_not_counted_and_counts_nothing(both: tuple[Lab, Lab], home: Path) -> None:
    aa, _ = both
    own = Lab("spark-mode-test-own", home, aa.environment["DOCKER_HOST"])
    own.files = (*FILES, "tests/engine/private.yaml")
    try:
        own.run("audio", "omni")
        aa.run("training")
        assert "already" in own.run("audio", "omni").out
        assert (*aa.running(), *own.running()) == ("training", "omni")
        assert aa.run("status", "--format", "json").json["foreign"] == []
    finally:
        own.down()
