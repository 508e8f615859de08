"""What must not leak, and what must not be run: with the gate and the guard in place, on a real engine."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import PROJECT
from tests.engine.lab import Lab, Outcome, docker, ends, interrupt, until
from tests.engine.outside import lab_in_folder

CANARY = "canary-5up3r-53cr3t"
STRANGE = "a lab; touch run $(touch run) `touch run` 'x' & $HOME"


@pytest.fixture
def strange(tmp_path: Path) -> Iterator[Lab]:
    """A lab in a folder whose name a shell would make something of."""
    lab = lab_in_folder(PROJECT, tmp_path, STRANGE)
    lab.down()
    yield lab
    lab.down()


def test_a_secret_of_the_compose_environment_appears_nowhere(strange: Lab) -> None:
    (strange.folder / "secret.yaml").write_text(
        "services:\n  omni: {environment: {TOKEN: '${CANARY}'}}\n  training: {environment: [CANARY], labels: {a: '${CANARY}'}}\n"
    )
    env = strange.folder / ".env"
    env.write_text(env.read_text().replace("stand-in.yaml", "stand-in.yaml:secret.yaml"))
    strange.environment["CANARY"] = CANARY
    said: list[Outcome] = [strange.run("gate", "install")]
    guard = strange.spawn("guard")
    said += [strange.run(*request, "--yes") for request in (("audio", "omni"), ("training",))]
    said.append(strange.plain("--profile", "omni", "up", "-d"))
    assert said[-1].code == 1
    omni = next(one["id"] for one in strange.containers() if one["service"] == "omni")
    assert CANARY in docker("inspect", omni), "the canary is not where it should be"
    docker("start", omni)
    until(lambda: set(strange.running()) == {"training"})
    looks = (("status",), ("plan", "audio", "omni"), ("check",), ("history",), ("map",), ("calibrate",))
    said += [strange.run(*look, "--format", kind, expect=None) for look in looks for kind in ("json", "table")]
    said.append(strange.run("training", "--timeout", "0.1", "--yes", expect=None, TRAINING_FAULT="crash-at-start"))
    interrupt(guard)
    said.append(ends(guard))
    assert [one for one in said if CANARY in one.out or CANARY in one.err] == []
    kept = [path for path in strange.state_folder.rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if CANARY in path.read_text(errors="replace")] == []
    assert CANARY not in (strange.folder / "spark-mode.gate.yaml").read_text()


def test_the_name_of_a_folder_is_run_by_nobody_and_state_is_for_its_owner_and_the_group_alone(strange: Lab) -> None:
    strange.run("gate", "install")
    passed = strange.plain("--profile", "omni", "up", "-d")
    assert passed.code == 0, passed.err
    assert "omni" in strange.running()
    leases = json.loads(next(strange.state_folder.glob("*.leases.json")).read_text())
    assert [one["service"] for one in leases] == ["omni"]
    assert [*strange.folder.rglob("run"), *strange.folder.parent.glob("run")] == []
    strange.run("audio", "omni")
    kept = [strange.state_folder, *strange.state_folder.rglob("*")]
    assert {".lock", ".json", ".journal"} <= {path.suffix for path in kept}
    for path in kept:
        assert path.stat().st_mode & stat.S_IRWXO == 0, path
