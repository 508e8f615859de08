"""The modes of a rules file as far as the command line needs them: nothing is checked, and nothing heavy is imported."""

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from spark_mode.errors import ConfigurationError
from spark_mode.lab.document import parse_document
from spark_mode.plain_file import plain_text


class KnownMode(NamedTuple):
    """A mode, the profiles to choose from, and whether it may run to its end as far as the file says."""

    name: str
    profiles: tuple[str, ...]
    may_end: bool

    @property
    def line(self) -> str:
        """What asking for it does, in a line."""
        return f"Switch to {self.name}" + (f" in one of {', '.join(self.profiles)}" if len(self.profiles) > 1 else "")


def known_modes(path: Path) -> tuple[KnownMode, ...]:
    """Return the modes of a rules file, or of the one that it extends; none where it cannot be read."""
    document = _whole(path)
    by_itself = any(one.get("runs_to_end") for one in _entries(document.get("workloads")).values())
    ending = {name for name, one in _entries(document.get("classes")).items() if one.get("runs_to_end")}
    return tuple(
        KnownMode(name, _texts(one.get("profiles")), by_itself or one.get("class") in (None, *ending))
        for name, one in _entries(document.get("modes")).items()
    )


def known_names(path: Path) -> dict[str, str]:
    """Return names for examples, as far as a rules file has them: a `mode` as it is typed, one that may `end`, and a `name`."""
    modes = known_modes(path)
    said = {one.name: " ".join((one.name, *one.profiles[: len(one.profiles) > 1])) for one in modes}
    of_modes = {*said, *(profile for one in modes for profile in one.profiles)}
    workloads = _entries(_whole(path).get("workloads"))
    others = (name for name, one in workloads.items() if "model" not in one and name not in of_modes)
    found = {
        "mode": next(iter(said.values()), None),
        "end": next((said[one.name] for one in modes if one.may_end), None),
        "name": next(others, None),
    }
    return {kind: name for kind, name in found.items() if name}


def _whole(path: Path) -> dict[str, Any]:
    """Return the document, with that of the file which it extends."""
    document = _document(path)
    if isinstance(other := document.get("extends"), str):
        document = {**_document(path.parent / other), **document}
    return document


def _document(path: Path) -> dict[str, Any]:
    try:
        return _parsed(plain_text(path) or "", path.name)
    except ConfigurationError:
        return {}


@lru_cache(maxsize=2)
def _parsed(text: str, name: str) -> dict[str, Any]:
    """Return what is in a text, which one command may need again and again; nobody changes it."""
    found = parse_document(text, name)
    return found if isinstance(found, dict) else {}


def _entries(section: object) -> dict[str, dict[str, Any]]:
    return {str(key): one if isinstance(one, dict) else {} for key, one in section.items()} if isinstance(section, dict) else {}


def _texts(found: object) -> tuple[str, ...]:
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()
