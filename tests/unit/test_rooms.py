"""The house stays as it is drawn: pure rooms are pure, imports point one way, and a file reads in one sitting."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "composer" / "spark_mode"
FILES = sorted(PACKAGE.rglob("*.py"))
IMPURE = {
    *("click", "docker", "python_on_whales", "psutil", "rich"),
    *("os", "time", "logging", "subprocess", "socket", "pathlib", "datetime", "random", "tempfile", "sys"),
}
MAY_IMPORT = {
    "lab": {"lab"},
    "planning": {"planning", "lab"},
    "engine": {"engine", "planning", "lab"},
    "switching": {"switching", "engine", "planning", "lab"},
    "enforcement": {"enforcement", "switching", "engine", "planning", "lab"},
    "cli": {"cli", "enforcement", "switching", "planning", "lab"},
}
LONGEST = 250


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_what_lies_below_it(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    if room not in MAY_IMPORT:
        return
    ours = {parts[1] for name in imports(path) if len(parts := name.split(".")) > 1 and parts[0] == "spark_mode"}
    assert ours - {"errors", "frozen", "plain_file", "atomic_file"} <= MAY_IMPORT[room]


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name in ("lab", "planning")], ids=lambda path: path.name)
def test_a_pure_room_touches_nothing_and_reads_no_clock(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(path)} & IMPURE == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_reads_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST
