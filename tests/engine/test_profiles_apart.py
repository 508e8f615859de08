"""What Docker Compose itself says of definitions, good and bad, beside a profile that it cannot resolve; no engine is asked."""

import os
import time
from pathlib import Path

import pytest

from spark_mode.engine.compose_files import ComposeFiles
from spark_mode.engine.resolved import resolved
from spark_mode.errors import ConfigurationError
from spark_mode.lab.files import LabFiles
from spark_mode.lab.project import Project
from spark_mode.lab.service import SCOPE
from tests.deep import DEEP

LAB = """name: spark-mode-test-apart
services:
  base: {{image: a}}
  lost: {{image: a, profiles: [lost], env_file: nothere.env}}
{others}
networks: {{default: {{name: "${{UNSET_NETWORK:-x}}"}}}}
"""
OTHER = "  other{number}: {{image: a, profiles: [other{number}], {definition}}}"
GOOD = (
    "environment: [A=1, B]",
    'labels: ["a=b"]',
    'ports: ["39400:80"]',
    "depends_on: [base]",
    'devices: ["/dev/nvidia0:/dev/nvidia0"]',
    "volumes_from: [base]",
    'deploy: {replicas: "2"}',
)
BAD_FOR_ITSELF = ("secrets: [nope]", "configs: [nope]", 'volumes: ["nope:/x"]', 'environment: ["A=${UNSET:?b}"]')
BAD_FOR_ALL = (
    'ports: ["70000:80"]',
    'ports: ["x:80"]',
    'ports: ["39400-39402:80-81"]',
    "scale: x",
    "deploy: {replicas: x}",
    "healthcheck: {interval: bogus}",
    "stop_grace_period: bogus",
)


def lab_of(*definitions: str) -> str:
    """Return a Compose file with a service and a profile for each definition; a single one is called other."""
    numbers = range(len(definitions)) if len(definitions) > 1 else [""]
    others = [OTHER.format(number=number, definition=one) for number, one in zip(numbers, definitions, strict=True)]
    return LAB.format(others="\n".join(others))


def read(folder: Path, *definitions: str) -> Project:
    (folder / "compose.yaml").write_text(lab_of(*definitions))
    return ComposeFiles(LabFiles(compose=(str(folder / "compose.yaml"),), rules=""), "/run/docker.sock").read()


def test_what_is_good_beside_what_cannot_be_resolved_is_used(tmp_path: Path) -> None:
    project = read(tmp_path, *GOOD)
    assert set(project.services) == {"base", "lost", *(f"other{number}" for number in range(len(GOOD)))}
    assert set(project.unusable) == {"lost"}


def test_what_is_bad_for_itself_is_at_fault_alone(tmp_path: Path) -> None:
    project = read(tmp_path, GOOD[0], *BAD_FOR_ITSELF)
    at_fault = {f"other{number}" for number in range(1, len(BAD_FOR_ITSELF) + 1)}
    assert {name for name in project.services if project.fault_of(name)} == {"lost", *at_fault}


@pytest.mark.parametrize("definition", BAD_FOR_ALL if DEEP else BAD_FOR_ALL[::4])
def test_what_is_bad_for_all_is_seen_and_said_in_words_of_compose(tmp_path: Path, definition: str) -> None:
    project = read(tmp_path, definition)
    assert set(project.services) == {"base", "lost", "other"}
    assert project.services["other"].profiles == ("other",)
    assert project.services["other"].stop_grace_seconds == 10
    assert "nothere" not in project.unusable[""]
    assert any(word in project.unusable[""] for word in ("Invalid", "invalid"))


def test_lists_in_an_outline_say_what_mappings_say_and_an_empty_device_is_a_file_of_no_variables(tmp_path: Path) -> None:
    listed = f"env_file: no.env, environment: [OLLAMA_CONTEXT_LENGTH=9], labels: ['{SCOPE}=project']"
    project = read(tmp_path, listed, "env_file: /dev/null")
    other = project.services["other0"]
    assert (other.ollama, other.scope) == ({"OLLAMA_CONTEXT_LENGTH": "9"}, "project")
    assert set(project.unusable) == {"lost", "other0"}


WITHOUT_END = ("env_file: pipe", "env_file: [{path: pipe, required: false}]", "label_file: pipe")


def test_a_file_that_has_no_end_is_the_fault_of_its_profile_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    started = time.monotonic()
    project = read(tmp_path, *WITHOUT_END)
    assert time.monotonic() - started < 15
    others = [f"other{number}" for number in range(len(WITHOUT_END))]
    assert {name for name in project.services if project.fault_of(name)} == {"lost", *others}
    assert ["pipe is a pipe and no file" in project.unusable[one] for one in others] == [True] * len(others)


def test_whoever_asks_for_a_model_without_rules_waits_for_no_file_without_end_either(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "compose.yaml").write_text(lab_of("env_file: pipe", "env_file: /dev/zero"))
    found = resolved(LabFiles(compose=(str(tmp_path / "compose.yaml"),), rules=""), "/run/docker.sock")
    assert set(found.model["services"]) == {"base"}
    assert ["and no file" in found.unusable[one] for one in ("other0", "other1")] == [True, True]


@pytest.mark.parametrize("name", [".env", "compose.yaml"])
def test_a_file_of_the_lab_itself_that_has_no_end_is_refused_before_compose_waits_for_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "compose.yaml").write_text(lab_of("scale: 1"))
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    files = LabFiles(compose=(str(tmp_path / "compose.yaml"),), rules="")
    asked = ComposeFiles(files, "/run/docker.sock")
    asked.prefetch()  # which whoever only stops something does, too
    for ask in (asked.read, lambda: resolved(files, "/run/docker.sock")):
        with pytest.raises(ConfigurationError, match=f"{name} is a pipe and no file"):
            ask()
