"""What waits for something else starts when that is as it has to be, and not when it merely runs."""

import json
from pathlib import Path

from tests.engine.lab import Lab

ONCE = """
services:
  whisper: {restart: "no", healthcheck: {disable: true}, environment: {STAND_IN_FAULT: exit-0=5}}
  xtts: {depends_on: {whisper: {condition: service_completed_successfully}}}
"""
"""It runs for longer than what has no health check must run to count as up."""


def test_what_waits_for_the_completion_of_another_starts_when_that_has_completed(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "once.yaml").write_text(ONCE)
    lab.files = (*lab.files, str(tmp_path / "once.yaml"))
    lab.run("audio", "xtts")
    states = {
        name: json.loads(lab.docker("inspect", "--format", "{{json .State}}", lab.id_of(name))) for name in ("whisper", "xtts")
    }
    assert (states["whisper"]["Status"], states["whisper"]["ExitCode"]) == ("exited", 0)
    assert states["whisper"]["FinishedAt"] <= states["xtts"]["StartedAt"]
    assert states["xtts"]["Status"] == "running"
