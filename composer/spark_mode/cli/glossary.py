"""The words of the output, from docs/glossary.md: the one place where they are explained."""

import re
from collections.abc import Iterator
from pathlib import Path

import spark_mode
from spark_mode.errors import ConfigurationError

_ENTRY = re.compile(r"^- \*\*(.+?)\*\*: (.+?)(?=^- |^#|\Z|^$)", re.MULTILINE | re.DOTALL)
_FOR_AUTHORS = re.compile(r"\s+\((?:`[\w/]+(?:\.py|/)`(?:,\s)?)+\)")
"""Where the code has a word: for who changes it."""


def glossary() -> dict[str, str]:
    """Return each word with what it means, in one line. Raises ConfigurationError where the text did not come along."""
    return dict(_entries(_text()))


def meaning(word: str) -> tuple[str, str] | None:
    """Return a word as the glossary has it, and what it means; case, plural, spaces and dashes do not matter."""
    wanted = _plain(word)
    return next(((name, said) for name, said in glossary().items() if wanted in _forms(name)), None)


def _entries(text: str) -> Iterator[tuple[str, str]]:
    for name, said in _ENTRY.findall(text):
        yield name, " ".join(_FOR_AUTHORS.sub("", said).split())


def _forms(name: str) -> set[str]:
    """Return all that one may write for a word, which may have several names: `long run`, `long-run`, `long runs`."""
    return {form for one in name.split(", ") for form in (_plain(one), f"{_plain(one)}s", f"{_plain(one)}es")}


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]+", " ", word.strip().lower())


def _text() -> str:
    """Return the glossary that lies in the package, or in the checkout that it is run from."""
    package = Path(spark_mode.__file__).parent
    for place in (package / "glossary.md", package.parents[1] / "docs/glossary.md"):
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise ConfigurationError(
        "the glossary does not come with this installation", "install spark-mode from its wheel or its checkout"
    )
