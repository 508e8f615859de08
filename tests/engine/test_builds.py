"""Images that a lab builds itself: built before a switch, never by it, and used as soon as they are there."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.lab import Lab

WHAT_IT_SAYS = "FROM audio-lab-stand-in:latest\nLABEL edition={}\n"


@pytest.fixture
def building(lab: Lab, tmp_path: Path) -> Iterator[Lab]:
    """A lab whose training is built from a folder and has no image of a given name."""
    (tmp_path / "image").mkdir()
    (tmp_path / "built.yaml").write_text(f"services: {{training: {{image: !reset null, build: {tmp_path}/image}}}}\n")
    lab.files = (*lab.files, str(tmp_path / "built.yaml"))
    yield lab
    lab.down()
    subprocess.run(["docker", "rmi", "--force", image(lab)], check=False, capture_output=True)


def image(lab: Lab) -> str:
    return f"{lab.project}-training"


def build(lab: Lab, folder: Path, edition: int) -> str:
    """Build training as this edition, as somebody does by hand; return the id of its image."""
    (folder / "image" / "Dockerfile").write_text(WHAT_IT_SAYS.format(edition))
    lab.compose("build", "training")
    return lab.docker("image", "inspect", "--format", "{{.Id}}", image(lab)).strip()


def image_of(lab: Lab, service: str) -> str:
    return lab.docker("inspect", "--format", "{{.Image}}", f"{lab.project}-{service}-1").strip()


def test_what_is_not_built_is_refused_before_anything_stops_and_what_is_built_anew_is_used_at_the_next_start(
    building: Lab, tmp_path: Path
) -> None:
    (tmp_path / "image" / "Dockerfile").write_text(WHAT_IT_SAYS.format(1))
    building.run("audio", "omni")
    before = building.containers()
    refused = building.run("training", "--yes", expect=3)
    assert "training has no image yet" in refused.err
    assert "docker compose --profile '*' build training" in refused.err
    assert building.containers() == before
    assert building.docker("images", "--quiet", image(building)) == "", "no switch builds it"
    first = build(building, tmp_path, 1)
    building.run("training", "--yes")
    assert image_of(building, "training") == first
    building.run("stop", "--yes")
    assert "create" not in [one["action"] for one in building.run("plan", "training", "--format", "json").json["steps"]]
    second = build(building, tmp_path, 2)
    assert second != first
    assert "create" in [one["action"] for one in building.run("plan", "training", "--format", "json").json["steps"]]
    building.run("training", "--yes")
    assert image_of(building, "training") == second
    assert set(building.running()) == {"training"}
