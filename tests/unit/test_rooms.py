"""The house stays as it is drawn: pure rooms are pure, and imports point one way, those inside functions as well."""

import ast
from functools import cache
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
IN_ROOMS = {room: [path for path in FILES if path.relative_to(PACKAGE).parts[0] == room] for room in BELOW}
OUTSIDE = {*PURE, "__version__", "plain_file", "atomic_file", "wall_time", "own_command"}


@cache
def imports(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {node.module or "", *(f"{node.module}.{name.name}" for name in node.names)}
    return frozenset(found)


def outermost(path: Path) -> set[str]:
    """Return the packages and modules that a file imports, without what in them."""
    return {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("room", BELOW)
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    for path in IN_ROOMS[room]:
        ours = {parts[1] for name in imports(path) if len(parts := name.split(".")) > 1 and parts[0] == "spark_mode"}
        assert ours - OUTSIDE - {room} - BELOW[room] == set(), f"{path.relative_to(PACKAGE)} imports them"


def test_every_file_lies_in_a_room_or_outside_of_all() -> None:
    outside = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES} - BELOW.keys()
    assert outside - {"__init__", *OUTSIDE} == set()


@pytest.mark.parametrize("room", ["lab", "planning", "init"])
def test_a_pure_room_touches_nothing_and_reads_no_clock(room: str) -> None:
    for path in IN_ROOMS[room]:
        impure = outermost(path) & IMPURE | {f"spark_mode.{name}" for name in OUTSIDE - PURE} & imports(path)
        assert impure == set(), f"{path.relative_to(PACKAGE)} imports them"


def test_no_import_goes_round_in_a_circle() -> None:
    modules = {".".join(("spark_mode", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in FILES}
    TopologicalSorter({name: imports(path) & modules.keys() for name, path in modules.items()}).prepare()


def test_the_page_and_what_it_needs_are_imported_by_its_verb_alone() -> None:
    others = [path for path in FILES if path.parent.name != "page" and path != PACKAGE / "cli" / "page.py"]
    of_page = {path: {name for name in imports(path) if name.startswith("spark_mode.page")} for path in others}
    assert {path.relative_to(PACKAGE): found for path in others if (found := outermost(path) & WEB | of_page[path])} == {}
