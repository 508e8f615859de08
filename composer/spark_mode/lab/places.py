"""Which Compose projects a lab is made of: `projects` of rules.yaml, read before anything heavy is imported.

projects: [., ../comfy, {files: [../vllm/compose.yaml], name: llm}]
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from spark_mode.errors import ConfigurationError

PROJECTS = "projects"
_KEY = re.compile(rf"""(?:^|[{{,])\s*["']?{PROJECTS}["']?\s*:""", re.MULTILINE)
_SECTION = re.compile(rf"""^["']?{PROJECTS}["']?[ \t]*:.*(?:\n(?:[ \t#-].*)?)*""", re.MULTILINE)
"""The lines of the key in a file as people write it: they are read though something is wrong further on, as for a `stop`."""
_OF_FILES = ("files", "name", "env_files")


class Place(NamedTuple):
    """Where a project lies: a folder as plain Compose takes it, or else its files by name; relative to the rules."""

    folder: str | None = None
    files: tuple[str, ...] = ()
    name: str | None = None
    env_files: tuple[str, ...] = ()


def may_name_projects(text: str) -> bool:
    """Whether a rules file may have the key, as far as its text shows without being read as YAML."""
    return _KEY.search(text) is not None


def places_in(text: str, name: str) -> tuple[Place, ...]:
    """Return the places that a rules file names, none where it has no such key.

    Raises ConfigurationError, with the file's `name` and the entry, for what is none, and for what is no YAML where that matters.
    """
    if not may_name_projects(text):
        return ()
    from spark_mode.lab.document import parse_document  # 20 ms, which only a lab of several projects pays

    section = _SECTION.search(text)
    try:
        document = parse_document(section[0] if section else text, name)
    except ConfigurationError:
        document = parse_document(text, name)  # which says the line
    if not isinstance(document, dict) or PROJECTS not in document:
        return ()
    entries = document[PROJECTS]
    if not isinstance(entries, list) or not entries:
        raise _wrong(f"{name}: {PROJECTS}", "expected a list of folders, such as [., ../comfy]")
    return tuple(_place(entry, f"{name}: {PROJECTS}/{position}") for position, entry in enumerate(entries))


def _place(entry: object, where: str) -> Place:
    if _is_path(entry):
        _require_no_home(entry, where)
        return Place(folder=str(entry))
    if not isinstance(entry, Mapping):
        raise _wrong(where, "expected a folder, or {files: [compose.yaml]}")
    if unknown := next((key for key in entry if key not in _OF_FILES), None):
        raise _wrong(f"{where}/{unknown}", f'unknown key "{unknown}"; there are {", ".join(_OF_FILES)}')
    for key in ("files", "env_files"):
        if not isinstance(entry.get(key, []), list) or not all(map(_is_path, entry.get(key, []))):
            raise _wrong(f"{where}/{key}", "expected a list of files")
    if not entry.get("files"):
        raise _wrong(where, "name the files: {files: [compose.yaml]}")
    for file in (*entry["files"], *entry.get("env_files", ())):
        _require_no_home(file, where)
    if "name" in entry and not _is_path(entry["name"]):
        raise _wrong(f"{where}/name", "expected the name that Compose has for the project")
    return Place(files=tuple(entry["files"]), name=entry.get("name"), env_files=tuple(entry.get("env_files", ())))


def _is_path(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and value != ""


def _require_no_home(path: object, where: str) -> None:
    if str(path).startswith("~"):
        raise _wrong(where, f"{path}: ~ is no home here; write the path from / on, or from the folder of this file")


def _wrong(where: str, message: str) -> ConfigurationError:
    return ConfigurationError(f"{where}: {message}", "correct it; nothing is touched until then")
