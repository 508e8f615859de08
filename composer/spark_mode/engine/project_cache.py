"""What Compose answered last, for as long as everything that it had read is the same.

Compose takes a tenth of a second and more to resolve its files, and three times as much of the processors: `status` takes
170 ms instead of 270. What it answered is kept under a digest of all that goes
into the answer: the files and `.env`, the variables whose names stand in them, Docker's own settings, the directory, and
the programs. Files of variables and labels count likewise, those that are missing too: which they are the outline tells, so they
are known from the second question on. Compose files that draw in others (`include`, `extends`) are asked about every time.
What is kept is the `Project` as we read it, which drops everything that may be secret.
"""

import json
import math
import os
import re
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from spark_mode import __version__
from spark_mode.atomic_file import replace_file
from spark_mode.engine.questions import environment
from spark_mode.lab.files import LabFiles
from spark_mode.plain_file import plain_text, read_plain

_WORD = re.compile(r"[A-Za-z_]\w*")
_DRAWS_IN = frozenset({"include", "extends"})
_NAMES_FILES = frozenset({"env_file", "label_file"})
_PLUGINS = ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec")
"""Where Docker looks for plugins beside the user's own (docker/cli, cli-plugins/manager)."""
_PLUGINS_ELSEWHERE = "cliPluginsExtraDirs"
_TO_A_PLUGIN = frozenset({"DOCKER_CLI_PLUGIN_SOCKET", "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"})
"""Variables by which a plugin finds the `docker` that started it: others each time, and the gate and `docker spark` have them."""
FAULT_SECONDS = 600
"""How long an answer counts that says what cannot be used: what kept Compose from reading it may have been no file."""
_READERS = [Path(__file__).parents[1] / "lab" / name for name in ("project_reading.py", "project.py", "service.py")]


class Kept(NamedTuple):
    """What was kept: Compose's version, and the fields of the project."""

    version: str
    project: dict[str, Any]


def inputs_of(files: LabFiles) -> list[Path]:
    """Return the files that Compose reads for a lab, whether they exist or not; not what those draw in."""
    compose = [Path(file) for file in files.compose]
    folder = Path(files.project_directory or compose[0].parent) if compose else Path.cwd()
    return [*compose, *(Path(file) for file in files.env_files), folder / ".env", Path.cwd() / ".env"]


def may_draw_in(files: LabFiles) -> bool:
    """Whether a lab's files may have Compose read others: then its outline has to tell which."""
    return any((_DRAWS_IN | _NAMES_FILES) & set(_WORD.findall(plain_text(file) or "")) for file in map(Path, files.compose))


class ProjectCache:
    """What is kept for one lab in a folder. Whatever cannot be read or written there is as if nothing were kept."""

    def __init__(self, files: LabFiles, socket: str, folder: Path) -> None:
        self._files, self._socket = files, socket
        self._path = folder / f"compose-{_digest(files.compose, files.project_name)[:16]}.json"
        self._asked_for: str | None = None
        self._named: list[str] = []

    def find(self) -> Kept | None:
        """Return what is known to be Compose's answer now, or None."""
        try:
            found = json.loads(read_plain(self._path, follow=False))
            self._named = [str(file) for file in found["named"]]
            self._asked_for = self._key(self._texts())
            is_known = found["key"] == self._asked_for is not None and isinstance(found["version"], str)
            is_known = is_known and time.time() < (found["until"] or math.inf)
            return Kept(found["version"], found["project"]) if is_known else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            self._asked_for = self._key(self._texts())
            return None

    def last_name(self) -> str | None:
        """Return the name that Compose gave the project when it could read it last, None where that is not known."""
        try:
            return str(json.loads(read_plain(self._path, follow=False))["project"]["name"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def keep(self, version: str, project: dict[str, Any], named: Sequence[str] | None) -> None:
        """Keep an answer, if what it was made from is still what it was when Compose was asked.

        `named` are the files of variables and labels that the Compose files name, None where that is not known. Where they are
        others than those that were looked at before Compose was asked, only their names are kept.
        """
        texts = self._texts()
        key = self._key(texts)
        if named is None or key is None or key != self._asked_for or not _plainly_spelled(texts, self._files.compose):
            return
        until = time.time() + FAULT_SECONDS if project.get("unusable") else None
        kept = {"key": key if [*named] == self._named else None, "named": [*named], "until": until}
        with suppress(OSError):
            replace_file(self._path, json.dumps(kept | {"version": version, "project": project}).encode(), 0o660)

    def _texts(self) -> dict[str, str | None]:
        """Return what stands in the files; of what is none what it is: Compose says something else of each."""
        of_lab = {str(file): plain_text(file) for file in inputs_of(self._files)}
        return of_lab | {file: _text_or_kind(file) for file in self._named}

    def _key(self, texts: dict[str, str | None]) -> str | None:
        """Return the digest of everything that Compose's answer is made from, or None where that is not known."""
        words = {word for text in texts.values() for word in _WORD.findall(text or "")}
        programs = _programs()
        if (_DRAWS_IN & words) or None in (texts.get(file) for file in self._files.compose) or programs is None:
            return None
        given = {name: value for name, value in environment(self._socket).items() if name not in _TO_A_PLUGIN}
        docker = {name for name in given if name.startswith("DOCKER_")}
        variables = sorted((name, given[name]) for name in (words | docker | {"HOME"}) & given.keys())
        files = [self._files.project_directory, self._files.project_name, self._files.env_files]
        reader = (__version__, *map(_identity, _READERS))
        return _digest(reader, self._socket, str(Path.cwd()), files, list(texts.items()), variables, programs)


def _text_or_kind(file: str) -> str:
    if (text := plain_text(Path(file))) is not None:
        return f"text {text}"
    try:
        seen = Path(file).stat()
    except OSError as error:
        return f"error {error.errno}"
    return f"mode {seen.st_mode} of {seen.st_size} bytes at {seen.st_mtime_ns}"


def _digest(*parts: object) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()


def _programs() -> list[object] | None:
    """Return what tells one `docker`, one Compose and one configuration of theirs from another; None if it cannot be told."""
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    config = plain_text(own / "config.json") or ""
    plugins = [own / "cli-plugins", *(Path(folder, "docker/cli-plugins") for folder in _PLUGINS)]
    found = [_identity(folder / "docker-compose") for folder in plugins]
    docker = next((file for folder in os.get_exec_path() if os.access(file := f"{folder}/docker", os.X_OK)), None)
    if docker is None or not any(found) or _PLUGINS_ELSEWHERE in config:
        return None
    return [docker, _identity(Path(docker)), found, config]


def _identity(file: Path) -> list[int] | None:
    try:
        seen = file.stat()
    except OSError:
        return None
    return [seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns]


def _plainly_spelled(texts: dict[str, str | None], compose: Iterable[str]) -> bool:
    """Whether no escape in YAML spells a word that does not stand in the text: such a word would be in no key."""
    from spark_mode.lab.document import scalars  # only when there is something to keep; the rules need it by then as well

    for text in (texts.get(file) or "" for file in compose):
        read = scalars(text)
        if read is None or not set(_WORD.findall("\n".join(read))) <= set(_WORD.findall(text)):
            return False
    return True
