"""A lab in a folder of its own, used as somebody uses it who types plain `docker compose` there."""

import shutil
from pathlib import Path

from tests.engine.lab import ROOT, Lab

LIGHT = ("omni", "chatterbox", "xtts", "qwen", "f5", "whisper", "training")
"""What needs no network to be started, stopped and asked about its health; see light.yaml."""


def lab_in_folder(project: str, home: Path, folder: str = "lab") -> Lab:
    """Return the stand-in lab in a folder with its own `.env`, rules and nothing else."""
    lab = Lab(project, home)
    lab.folder, lab.files, lab.rules = home / folder, (), None
    furnish(lab.folder, project)
    return lab


def furnish(folder: Path, project: str) -> None:
    """Put the files of the stand-in lab into a folder."""
    (folder / "compose").mkdir(parents=True)
    shutil.copy(ROOT / "compose/audio-lab.yaml", folder / "compose")
    stand_in = (ROOT / "compose/stand-in.yaml").read_text().replace("start_interval: 100ms", "start_interval: 200ms")
    stand_in = stand_in.replace("interval: 5s", "interval: 15s")
    for name in LIGHT:
        light = 'network_mode: none\n    security_opt: ["seccomp:unconfined"]'
        stand_in = stand_in.replace(f"    command: [{name}]\n", f"    command: [{name}]\n    {light}\n")
    (folder / "compose/stand-in.yaml").write_text(stand_in)
    shutil.copy(ROOT / "rules.yaml", folder / "base.yaml")
    rules = (ROOT / "compose/stand-in.rules.yaml").read_text()
    (folder / "rules.yaml").write_text(rules.replace("../rules.yaml", "base.yaml"))
    named = "COMPOSE_FILE=compose/audio-lab.yaml:compose/stand-in.yaml"
    (folder / ".env").write_text(f"# of the lab\n{named}\nCOMPOSE_PROJECT_NAME={project}\n")
