"""How many questions Compose is asked: a lab that it can resolve costs no more than ever."""

from pathlib import Path

import pytest

from spark_mode.engine.compose_files import ComposeFiles
from spark_mode.errors import ConfigurationError
from spark_mode.lab.files import LabFiles
from spark_mode.lab.project import Project

COMPOSE = """#!/bin/sh
echo "$*" >> asked
case "$*" in
*version*) echo 2.40.3 ;;
*--no-interpolate*) cat outline || exit 1 ;;
*"--file - "*) cat > given; echo "a 2" ;;
*--hash*) echo "a 1" ;;
*"--profile b"*) echo "b.env not found" >&2; exit 1 ;;
*"--profile *"*) [ -e broken ] && { echo "b.env not found" >&2; exit 1; }; cat resolved ;;
*) cat resolved ;;
esac
"""
A = '{"name": "lab", "services": {"a": {"image": "x", "profiles": ["a"]}}}'
OUTLINE = """{"name": "lab", "services": {
"a": {"image": "x", "profiles": ["a"]},
"b": {"image": "${NAME}", "profiles": ["b"], "env_file": ["b.env"], "stop_grace_period": "5m"}}}"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a lab, with a `docker` that answers what lies there."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(COMPOSE)
    (tmp_path / "bin" / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resolved").write_text(A)
    return tmp_path


def read(folder: Path, text: str) -> Project:
    (folder / "compose.yaml").write_text(text)
    return ComposeFiles(LabFiles(compose=("compose.yaml",), rules=""), "/run/docker.sock").read()


def asked(folder: Path) -> int:
    return len((folder / "asked").read_text().splitlines())


def test_what_compose_resolves_together_is_asked_once(folder: Path) -> None:
    project = read(folder, "services: {a: {image: x}}")
    assert (project.unusable, project.apart, project.services["a"].config_hash) == ({}, False, "1")
    assert asked(folder) == 3


def test_what_files_of_variables_say_is_in_the_hash(folder: Path) -> None:
    (folder / "outline").write_text(OUTLINE)
    assert read(folder, "services: {a: {image: x, env_file: b.env}}").services["a"].config_hash == "2"
    assert (folder / "given").read_text() == A
    assert asked(folder) == 5


def test_a_profile_that_cannot_be_resolved_is_known_with_its_reason_and_what_is_plain_of_it(folder: Path) -> None:
    (folder / "outline").write_text(OUTLINE)
    (folder / "broken").touch()
    project = read(folder, "services: {}")
    assert (project.unusable, project.apart) == ({"b": "b.env not found"}, True)
    assert (project.services["a"].image, project.services["a"].config_hash) == ("x", "2")
    b = project.services["b"]
    assert (b.profiles, b.image, b.stop_grace_seconds, b.config_hash) == (("b",), None, 300, None)


def test_files_that_have_no_outline_are_at_fault_as_a_whole(folder: Path) -> None:
    (folder / "broken").touch()
    with pytest.raises(ConfigurationError, match=r"compose\.yaml: b\.env not found"):
        read(folder, "services: [")


def test_what_is_at_fault_without_any_profile_is_at_fault_in_every_mode(folder: Path) -> None:
    (folder / "outline").write_text(OUTLINE)
    (folder / "broken").touch()
    (folder / "resolved").unlink()
    project = read(folder, "services: {}")
    assert (project.name, set(project.services)) == ("lab", {"a", "b"})
    assert all(project.fault_of(name) for name in project.services)
