"""What the documents name is there."""

import re
from functools import cache
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from documents.messages import LEAST, explained, said, texts
from documents.pages import PAGES, made
from documents.picture import FILE, picture
from spark_mode.lab.verbs import VERBS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "composer/spark_mode"
OF_OTHERS = ("docs/lab-sources.md", "docs/lab.md")
"""These name the files of other projects as well."""
DOCUMENTS = ("README.md", "CHANGELOG.md", *sorted(str(one.relative_to(ROOT)) for one in (ROOT / "docs").glob("*.md")))
OURS = tuple(one for one in DOCUMENTS if one not in OF_OTHERS)


@pytest.mark.parametrize("document", OURS)
def test_every_program_that_a_document_names_is_there(document: str) -> None:
    named = set(re.findall(r"`([\w/-]+\.py)`", (ROOT / document).read_text()))
    assert {one for one in named if not any(path.endswith(f"/{one}") for path in programs())} == set()


@cache
def programs() -> list[str]:
    """Return the paths of all programs, from here."""
    return [
        f"/{path.relative_to(ROOT)}"
        for folder in ("composer", "compose", "tests", "benchmarks", "documents")
        for path in (ROOT / folder).rglob("*.py")
    ]


def test_every_function_on_a_walk_is_in_its_file() -> None:
    walked = re.findall(r"`(\w+/\w+\.py)` `([\w.]+)`", (ROOT / "docs/architecture.md").read_text())
    assert len(walked) > 20
    for file, name in walked:
        assert callable(attrgetter(name)(module(file))), f"{file} has no {name}"


def module(file: str) -> ModuleType:
    """Return the module of the package that a file is."""
    return import_module("spark_mode." + file.removesuffix(".py").replace("/", "."))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_from_a_document_to_another_leads_to_it(document: str) -> None:
    links = re.findall(r"\]\(([\w./-]+)(?:#[\w-]*)?\)", (ROOT / document).read_text())
    assert [one for one in links if not (ROOT / document).parent.joinpath(one).exists()] == []


def test_the_glossary_has_each_word_once_with_its_place() -> None:
    text = (ROOT / "docs/glossary.md").read_text()
    words = re.findall(r"^- \*\*(.+?)\*\*: ", text, re.MULTILINE)
    assert len(words) == len(set(words)) == text.count("\n- ")
    assert [room for room in re.findall(r"`(\w+)/`", text) if not (PACKAGE / room).is_dir()] == []


def test_the_rules_of_a_lab_of_your_own_are_those_that_a_test_switches() -> None:
    """Its sizes are those of a test's machine."""
    block = re.compile(r"^## Your own lab in five minutes$.*?^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
    shown = block.search((ROOT / "README.md").read_text())
    assert shown
    tried = (ROOT / "tests/engine/labs/chat_and_tuning/rules.yaml").read_text()
    size = re.compile(r"footprint: [\d.]+GB")
    assert yaml.safe_load(size.sub("footprint: some", shown[1])) == yaml.safe_load(size.sub("footprint: some", tried))
    assert len(shown[1].splitlines()) <= 10


def test_the_picture_is_as_it_would_be_made_now() -> None:
    assert picture() == FILE.read_text(), "make it anew: make documents"


def test_every_document_has_its_place_on_the_site() -> None:
    listed = re.findall(r"^      - .+: ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(["changelog.md", *(one.name for one in (ROOT / "docs").glob("*.md"))])


def test_every_command_has_its_section() -> None:
    sections = re.findall(r"^## `(\w+)`$", (ROOT / "docs/commands.md").read_text(), re.MULTILINE)
    assert sorted(sections) == sorted(VERBS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_made_of_a_document_is_as_it_would_be_made_now(page: Path) -> None:
    text = page.read_text()
    assert made(text) == text, "make it anew: make documents"


def test_every_message_with_which_a_command_ends_is_explained() -> None:
    known, found = "\n".join(explained()), said()
    assert len(found) > 100
    assert sorted((file, one) for file, one in found if one not in known) == [], "add them to docs/troubleshooting.md"


def test_no_message_is_explained_that_no_command_has() -> None:
    pieces, has = [(row, piece.strip(" :;,.")) for row in explained() for piece in row.split("…")], texts()
    assert [(row, piece) for row, piece in pieces if len(piece) >= LEAST and piece not in has] == [], (
        "correct docs/troubleshooting.md"
    )


def test_every_message_has_its_cause_and_what_to_do() -> None:
    assert [row for row, rest in explained().items() if len(rest) != 2 or not all(rest)] == []
