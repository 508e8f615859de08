"""A lab in a folder of its own, used as somebody uses it who types plain `docker compose` there."""

import shutil
from pathlib import Path

from tests.engine.lab import ROOT, Lab


def lab_in_folder(project: str, home: Path, folder: str = "lab") -> Lab:
    """Return the stand-in lab in a folder with its own `.env`, rules and nothing else."""
    lab = Lab(project, home)
    lab.folder, lab.files, lab.rules = home / folder, (), None
    furnish(lab.folder, project)
    return lab


def furnish(folder: Path, project: str) -> None:
    """Put the files of the stand-in lab into a folder."""
    (folder / "compose").mkdir(parents=True)
    for name in ("audio-lab.yaml", "stand-in.yaml"):
        shutil.copy(ROOT / "compose" / name, folder / "compose")
    shutil.copy(ROOT / "rules.yaml", folder / "base.yaml")
    rules = (ROOT / "compose/stand-in.rules.yaml").read_text()
    (folder / "rules.yaml").write_text(rules.replace("../rules.yaml", "base.yaml"))
    named = "COMPOSE_FILE=compose/audio-lab.yaml:compose/stand-in.yaml"
    (folder / ".env").write_text(f"# of the lab\n{named}\nCOMPOSE_PROJECT_NAME={project}\n")
