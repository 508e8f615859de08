"""A lab is read whole or not at all, and its digests are those of what was read."""

import time
from pathlib import Path

import pytest

from spark_mode.errors import ConfigurationError, EngineUnavailable
from spark_mode.lab.files import LabFiles
from spark_mode.session.prefetch import ask_compose
from spark_mode.session.session import Session
from tests.audio_lab import RULES_TEXT

COMPOSE = """#!/bin/sh
case "$*" in
*--hash*) echo "whisper 1" ;;
*version*) echo 2.40.3 ;;
*) grep -q broken compose.yaml && { echo "compose.yaml is broken" >&2; exit 1; }
   echo "{\\"name\\": \\"lab\\", \\"services\\": {\\"whisper\\": {\\"image\\": \\"$(cat compose.yaml)\\"}}}"
   [ -e while-asked ] && cp while-asked compose.yaml && rm while-asked
   exit 0 ;;
esac
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabFiles:
    """Return a lab whose Compose file is the image of its service, and a `docker` that reads it so."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(COMPOSE)
    (tmp_path / "bin" / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yaml").write_text("first")
    (tmp_path / "rules.yaml").write_text(RULES_TEXT)
    return LabFiles(compose=(str(tmp_path / "compose.yaml"),), rules=str(tmp_path / "rules.yaml"))


def image(session: Session) -> str | None:
    return session.project.services["whisper"].image


def test_a_lab_that_cannot_be_read_again_is_what_it_was(lab: LabFiles) -> None:
    session = Session.open(lab)
    was = (session.rules, session.project, session.inputs, session.capacity)
    Path("rules.yaml").write_text(RULES_TEXT.replace("capacity: 128GB", "capacity: 64GB"))
    Path("compose.yaml").write_text("broken")
    for _ in range(2):
        with pytest.raises((ConfigurationError, EngineUnavailable)):
            session.read_again()
        assert (session.rules, session.project, session.inputs, session.capacity) == was
    Path("compose.yaml").write_text("second")
    assert session.read_again()
    assert (image(session), session.capacity) == ("second", 64 * 10**9)


def test_a_file_that_changes_while_compose_reads_it_is_read_again(lab: LabFiles) -> None:
    Path("while-asked").write_text("second")
    asked = ask_compose(lab)
    deadline = time.monotonic() + 30
    while Path("while-asked").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    session = Session.open(lab, asked)
    assert image(session) == "first"
    assert session.read_again()
    assert image(session) == "second"
    assert not session.read_again()
