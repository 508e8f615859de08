"""The Dockerfiles of the lab, as far as they can be judged without a registry; hadolint has judged them before."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from spark_mode.lab.size import GB
from tests.audio_lab import RULES

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose/audio-lab.yaml").read_text())["services"]
FOLDERS = {name: ROOT / "compose" / one["build"] for name, one in SERVICES.items() if "build" in one}
LOCKED = sorted(path.parent for path in (ROOT / "compose/images").glob("*/requirements.in"))


def instructions(folder: Path) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile with their arguments, each on one line."""
    text = re.sub(r"^#.*\n", "", (folder / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line]


def arguments(folder: Path, name: str) -> list[str]:
    return [argument for instruction, argument in instructions(folder) if instruction == name]


def test_every_dockerfile_is_built_by_the_lab() -> None:
    there = {path.parent for folder in ("images", "training") for path in (ROOT / "compose" / folder).rglob("Dockerfile")}
    assert there == set(FOLDERS.values())


@pytest.mark.parametrize("name", FOLDERS)
class TestDockerfile:
    def test_its_base_is_pinned(self, name: str) -> None:
        for base in arguments(FOLDERS[name], "FROM"):
            image, _, tag = base.split()[0].rpartition(":")
            assert image
            assert re.search(r"\d+\.\d+", tag), base

    def test_it_runs_as_a_user_by_number_who_is_not_root(self, name: str) -> None:
        assert re.match(r"[1-9]\d*(:\d+)?$", arguments(FOLDERS[name], "USER")[-1])

    def test_what_it_copies_is_there(self, name: str) -> None:
        for argument in arguments(FOLDERS[name], "COPY"):
            *sources, _ = argument.split()
            if not sources[0].startswith("--from="):
                assert all(list(FOLDERS[name].glob(source)) for source in sources), argument

    def test_it_starts_without_a_shell_so_that_signals_reach_the_program(self, name: str) -> None:
        starts = arguments(FOLDERS[name], "CMD") + arguments(FOLDERS[name], "ENTRYPOINT")
        assert any(json.loads(start) for start in starts)

    def test_what_it_fetches_is_a_commit_a_tag_or_a_version(self, name: str) -> None:
        for run in arguments(FOLDERS[name], "RUN"):
            assert not re.search(r"git clone(?!.*--branch v\d)", run)
            for fetched in re.findall(r"git fetch [^&]*", run):
                assert '"$COMMIT"' in fetched
            for installed in re.findall(r"pip install ([^&]*)", run):
                loose = [word for word in installed.split() if not word.startswith(("-", '"')) and "==" not in word]
                assert all(re.search(r"requirements\.txt$|held\.txt$|\.whl$|^\.$|^\.venv/bin/python$", word) for word in loose), (
                    installed
                )

    def test_what_its_volumes_hold_belongs_to_its_user(self, name: str) -> None:
        mounts = [volume.split(":")[1] for volume in SERVICES[name]["volumes"]]
        made = " ".join(arguments(FOLDERS[name], "RUN"))
        assert all(re.search(rf"{Path(mount).name}\b", made) for mount in mounts)
        if name != "training":
            assert "/cache" in mounts
            assert any("HOME=/cache" in one for one in arguments(FOLDERS[name], "ENV"))


@pytest.mark.parametrize("folder", LOCKED, ids=lambda folder: folder.name)
def test_all_that_is_installed_is_locked_and_is_what_was_asked_for(folder: Path) -> None:
    lines = [line for line in (folder / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.+]+", line) for line in lines)
    assert "://" not in "".join(lines)
    asked = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==([\w.]+)", (folder / "requirements.in").read_text(), re.MULTILINE)
    assert {f"{name.lower()}=={version}" for name, version in asked} <= set(lines)


@pytest.mark.parametrize("folder", LOCKED, ids=lambda folder: folder.name)
def test_the_speech_images_share_the_layer_with_pytorch(folder: Path) -> None:
    shared = [instructions(path)[:4] for path in LOCKED]
    assert instructions(folder)[:4] == shared[0]
    assert "torch==2.11.0" in shared[0][3][1]


def test_the_sizes_of_the_trainer_are_those_that_rules_yaml_plans() -> None:
    written = (ROOT / "compose/training/train.py").read_text()
    (planned,) = re.findall(r"PLANNED_GB = (\{.*\})", written)
    sizes = ast.literal_eval(planned)
    variants = RULES.workloads["training"].variants
    assert sizes == {name: one.footprint.planned / GB for name, one in variants.items()}
    assert all(one.environment.get("TRAINING_BATCH", "mid") == name for name, one in variants.items())
