"""Small labs of other shapes than the shipped one, a folder each, whose services only sleep."""

import shutil
from pathlib import Path

from tests.engine.lab import Lab

LABS = Path(__file__).parent


def copy_of(name: str, project: str, home: Path) -> Lab:
    """Return one of these labs in a folder of its own, where a test may change its files."""
    lab = Lab(project, home)
    lab.folder, lab.files, lab.rules = home / name, ("compose.yaml",), "rules.yaml"
    shutil.copytree(LABS / name, lab.folder)
    return lab
