"""What Compose answered is used again only while everything that it had read is the same."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from spark_mode.engine.project_cache import FAULT_SECONDS, Kept, ProjectCache
from spark_mode.lab.files import LabFiles

TEXT = "services: {omni: {image: '$IMAGE', environment: {TOKEN: , MODE: '${MODE:-${FALLBACK}}'}}}\n"
PROJECT: dict[str, object] = {"name": "lab", "services": {}}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a lab with programs of its own, in which everything is known."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "docker" / "cli-plugins").mkdir(parents=True)
    for program in ("bin/docker", "docker/cli-plugins/docker-compose"):
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yaml").write_text(TEXT)
    return tmp_path


def cache(lab: Path, project_name: str | None = None, project_directory: str | None = None) -> ProjectCache:
    files = LabFiles((str(lab / "compose.yaml"),), "", project_directory, project_name)
    return ProjectCache(files, "/run/docker.sock", lab)


def kept(lab: Path) -> ProjectCache:
    one = cache(lab)
    assert one.find() is None
    one.keep("2.40.3", PROJECT, [])
    assert cache(lab).find() == Kept("2.40.3", PROJECT)
    return one


def test_an_answer_is_used_again_and_lies_where_only_the_group_reads_it(lab: Path) -> None:
    kept(lab)
    (file,) = lab.glob("compose-*.json")
    assert file.stat().st_mode & 0o007 == 0
    assert "TOKEN" not in file.read_text()


CHANGES: dict[str, Callable[[Path], object]] = {
    "a Compose file": lambda lab: (lab / "compose.yaml").write_text(TEXT + "\n"),
    "a Compose file that is gone": lambda lab: (lab / "compose.yaml").unlink(),
    "a new .env": lambda lab: (lab / ".env").write_text("IMAGE=other\n"),
    "a variable that is interpolated": lambda _: os.environ.update(IMAGE="other"),
    "a variable inside the default of another": lambda _: os.environ.update(FALLBACK="other"),
    "a variable that is passed on": lambda _: os.environ.update(TOKEN="other"),  # noqa: S106 - the name of a variable
    "Docker's own settings": lambda _: os.environ.update(DOCKER_DEFAULT_PLATFORM="linux/arm64"),
    "another Compose": lambda lab: (lab / "docker/cli-plugins/docker-compose").write_text("#!/bin/bash\n"),
    "another docker": lambda lab: (lab / "bin/docker").write_text("#!/bin/bash\n"),
    "Docker's configuration": lambda lab: (lab / "docker/config.json").write_text("{}"),
    "plugins from anywhere": lambda lab: (lab / "docker/config.json").write_text('{"cliPluginsExtraDirs": ["/x"]}'),
    "another directory": lambda lab: os.chdir(lab / "bin"),
    "a torn file": lambda lab: next(lab.glob("compose-*.json")).write_text('{"key": "'),
    "a file of another kind": lambda lab: next(lab.glob("compose-*.json")).write_text("[]"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_compose_is_asked_again_after_a_change_of(what: str, lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IMAGE", "FALLBACK", "TOKEN", "DOCKER_DEFAULT_PLATFORM"):
        monkeypatch.setenv(name, "before")
        monkeypatch.delenv(name)
    kept(lab)
    CHANGES[what](lab)
    assert cache(lab).find() is None


def test_compose_is_asked_again_for_another_name_directory_or_file_of_variables(lab: Path) -> None:
    kept(lab)
    (lab / "more.env").write_text("A=1\n")
    assert cache(lab, project_name="other").find() is None
    assert cache(lab, project_directory=str(lab / "bin")).find() is None
    assert (
        ProjectCache(LabFiles(compose=(str(lab / "compose.yaml"),), rules="", env_files=("more.env",)), "x", lab).find() is None
    )


def test_a_variable_that_stands_in_no_file_changes_nothing(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(lab)
    monkeypatch.setenv("SOMETHING_ELSE", "1")
    assert cache(lab).find() == Kept("2.40.3", PROJECT)


def test_where_docker_starts_us_an_answer_is_used_again(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a plugin, or from Compose as the gate: they have variables then that no question of ours passes on, or as they were."""
    (lab / ".env").write_text("COMPOSE_FILE=compose.yaml\nCOMPOSE_PROJECT_NAME=lab\n")
    kept(lab)
    monkeypatch.setenv("DOCKER_CLI_PLUGIN_SOCKET", "@docker_cli_1")
    monkeypatch.setenv("DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND", "/usr/bin/docker")
    monkeypatch.setenv("COMPOSE_FILE", "compose.yaml")
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "lab")
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert cache(lab).find() == Kept("2.40.3", PROJECT)


@pytest.mark.parametrize(
    "text",
    [
        "include: [other.yaml]\n",
        "services: {a: {extends: {file: other.yaml, service: b}}}\n",
        'services: {a: {image: x, "\\x65nv_file": a.env}}\n',
        'services: {a: {image: "\\x24\\x49MAGE"}}\n',
        'services: {a: {"env_\\\n  file": a.env}}\n',
        "services: [\n",
    ],
    ids=["include", "extends", "escaped key", "escaped variable", "folded key", "not YAML"],
)
def test_nothing_is_kept_of_a_file_that_may_read_what_is_in_no_key(text: str, lab: Path) -> None:
    (lab / "compose.yaml").write_text(text)
    one = cache(lab)
    assert one.find() is None
    one.keep("2.40.3", PROJECT, [])
    assert cache(lab).find() is None


def test_nothing_is_kept_of_files_that_changed_while_compose_answered(lab: Path) -> None:
    one = cache(lab)
    assert one.find() is None
    (lab / "compose.yaml").write_text(TEXT + "# changed\n")
    one.keep("2.40.3", PROJECT, [])
    assert cache(lab).find() is None


def test_a_folder_that_cannot_be_written_keeps_nothing(lab: Path) -> None:
    one = ProjectCache(LabFiles(compose=(str(lab / "compose.yaml"),), rules=""), "x", lab / "missing")
    assert one.find() is None
    one.keep("2.40.3", PROJECT, [])
    assert one.find() is None


def test_files_from_elsewhere_are_not_known(lab: Path) -> None:
    one = ProjectCache(LabFiles(compose=("oci://registry/lab",), rules=""), "x", lab)
    assert one.find() is None
    one.keep("2.40.3", PROJECT, [])
    assert one.find() is None


def test_what_lies_behind_a_link_is_not_read(lab: Path) -> None:
    kept(lab)
    (file,) = lab.glob("compose-*.json")
    file.rename(lab / "elsewhere")
    file.symlink_to(lab / "elsewhere")
    assert cache(lab).find() is None


NAMED = "services: {a: {image: x, env_file: [a.env, {path: b.env, required: false}]}}\n"
CHANGES_OF_NAMED: dict[str, Callable[[Path], object]] = {
    "what it says": lambda lab: (lab / "a.env").write_text("A=2\n"),
    "it being there": lambda lab: (lab / "a.env").unlink(),
    "a missing one that comes": lambda lab: (lab / "b.env").write_text(""),
    "a missing one that is a pipe": lambda lab: os.mkfifo(lab / "b.env"),
    "a missing one that is a folder": lambda lab: (lab / "b.env").mkdir(),
    "a variable that it passes on": lambda _: os.environ.update(PASSED="other"),
}


def kept_of_named(lab: Path, project: dict[str, object] = PROJECT) -> list[str]:
    """Have the answer of a lab with files of variables kept; return their names."""
    (lab / "compose.yaml").write_text(NAMED)
    (lab / "a.env").write_text("A=$PASSED\n")
    files = [str(lab / "a.env"), str(lab / "b.env")]
    for _ in range(2):
        one = cache(lab)
        assert one.find() is None
        one.keep("2.40.3", project, files)
    return files


def test_what_stands_in_files_of_variables_is_known_from_the_second_question_on(lab: Path) -> None:
    kept_of_named(lab)
    assert cache(lab).find() == Kept("2.40.3", PROJECT)


@pytest.mark.parametrize("what", CHANGES_OF_NAMED)
def test_compose_is_asked_again_after_a_change_of_a_file_of_variables(
    what: str, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSED", "before")
    kept_of_named(lab)
    CHANGES_OF_NAMED[what](lab)
    assert cache(lab).find() is None


def test_nothing_is_kept_where_it_is_not_known_which_files_are_named(lab: Path) -> None:
    (lab / "compose.yaml").write_text(NAMED)
    for _ in range(2):
        one = cache(lab)
        one.find()
        one.keep("2.40.3", PROJECT, None)
    assert cache(lab).find() is None


def test_a_file_of_variables_that_changed_while_compose_answered_is_asked_about_again(lab: Path) -> None:
    files = kept_of_named(lab)
    (lab / "a.env").write_text("A=2\n")
    one = cache(lab)
    assert one.find() is None
    (lab / "a.env").write_text("A=3\n")
    one.keep("2.40.3", PROJECT, files)
    assert cache(lab).find() is None


def test_what_cannot_be_used_is_asked_about_again_after_a_while(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken: dict[str, object] = {**PROJECT, "unusable": {"a": "no memory"}}
    one = cache(lab)
    assert one.find() is None
    one.keep("2.40.3", broken, [])
    assert cache(lab).find() == Kept("2.40.3", broken)
    later = time.time() + FAULT_SECONDS
    monkeypatch.setattr(time, "time", lambda: later)
    assert cache(lab).find() is None
