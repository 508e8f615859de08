"""The house stays as it is drawn: pure rooms are pure, and imports point one way, those inside functions as well."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "composer" / "spark_mode"
FILES = sorted(PACKAGE.rglob("*.py"))
IMPURE = {
    *("click", "docker", "python_on_whales", "psutil", "rich"),
    *("os", "time", "logging", "subprocess", "socket", "pathlib", "datetime", "random", "tempfile", "sys"),
}
BELOW = {
    "lab": set(),
    "init": {"lab"},
    "planning": {"lab"},
    "engine": {"planning", "lab"},
    "sharing": {"engine", "planning", "lab"},
    "journal": {"sharing", "planning", "lab"},
    "session": {"journal", "sharing", "engine", "planning", "init", "lab"},
    "switching": {"session", "journal", "sharing", "engine", "planning", "lab"},
    "reporting": {"session", "journal", "sharing", "engine", "planning", "init", "lab"},
    "enforcement": {"reporting", "switching", "session", "journal", "sharing", "engine", "planning", "lab"},
    "fleet": {"planning", "lab"},
    "page": {"enforcement", "reporting", "switching", "session", "journal", "sharing", "planning", "init", "lab"},
    "cli": {"fleet", "page", "enforcement", "reporting", "switching", "session", "journal", "sharing", "planning", "init", "lab"},
}
"""What each room may know, besides itself and what lies outside of all rooms."""
WEB = {"starlette", "uvicorn", "jinja2", "h11"}
"""What only the extra `page` brings."""
PURE = {"errors", "frozen", "readable"}
OUTSIDE = {*PURE, "__version__", "plain_file", "atomic_file", "wall_time", "own_command"}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {node.module or "", *(f"{node.module}.{name.name}" for name in node.names)}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_what_lies_below_it(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    if room.removesuffix(".py") in {"__init__", *OUTSIDE}:
        return
    ours = {parts[1] for name in imports(path) if len(parts := name.split(".")) > 1 and parts[0] == "spark_mode"}
    assert ours - OUTSIDE - {room} <= BELOW[room]


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.parent.name in ("lab", "planning", "init")], ids=lambda path: path.name
)
def test_a_pure_room_touches_nothing_and_reads_no_clock(path: Path) -> None:
    found = imports(path)
    assert {name.split(".")[0] for name in found} & IMPURE == set()
    assert {f"spark_mode.{name}" for name in OUTSIDE - PURE} & found == set()


def test_no_import_goes_round_in_a_circle() -> None:
    modules = {".".join(("spark_mode", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in FILES}
    TopologicalSorter({name: imports(path) & modules.keys() for name, path in modules.items()}).prepare()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_page_and_what_it_needs_are_imported_by_its_verb_alone(path: Path) -> None:
    if path.parent.name == "page" or path == PACKAGE / "cli" / "page.py":
        return
    found = imports(path)
    assert {name.split(".")[0] for name in found} & WEB == set()
    assert not any(name.startswith("spark_mode.page") for name in found)
