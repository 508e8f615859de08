"""What files of variables, such as a lab's `.env`, say of the lab itself: its Compose files and its name.

The answer is Compose's. A file whose lines can be read in one way only is read here; wherever anything is left to
interpret (variables, escapes, values of several lines, mistakes) Compose is asked, which takes a tenth of a second. No
library reads them alike: of 73 lines that were tried python-dotenv read 21 otherwise than Compose.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from spark_mode.plain_file import plain_text

FILE, NAME, SEPARATOR = "COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "COMPOSE_PATH_SEPARATOR"
_SINGLE, _DOUBLE, _BARE = r"'((?:(?!['\\])[ -~])*)'", r'"((?:(?!["\\$])[ -~])*)"', r"((?!['\"#])(?:(?!\$)[!-~])+)"
_VALUE = rf"(?:{_SINGLE}|{_DOUBLE}|{_BARE})[ \t]*(?: #.*)?"
_PLAIN = re.compile(rf"[ \t]*(?:#.*|(?:export +)?([A-Za-z_]\w*)=(?:{_VALUE}|[ \t]*))?\r?", re.ASCII)
_UNNAMED = "spark-mode-asks"


def compose_settings(files: Sequence[Path]) -> dict[str, str]:
    """Return COMPOSE_FILE, COMPOSE_PROJECT_NAME and COMPOSE_PATH_SEPARATOR where these files set them; the last one wins.

    A file that is not there sets nothing. Raises ConfigurationError for what Compose cannot read, and what asking it does.
    """
    there = [(file, text) for file in files if (text := plain_text(file)) is not None]
    text = "\n".join(text for _, text in there)
    if not any(name in text for name in (FILE, NAME, SEPARATOR)):
        return {}
    found = plain_values(text)
    if found is None:
        found = _asked([file for file, _ in there])
    return {name: found[name] for name in (FILE, NAME, SEPARATOR) if found.get(name)}


def plain_values(text: str) -> dict[str, str] | None:
    """Return the variables of a text that can be read in one way only, or None."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        read = _PLAIN.fullmatch(line)
        if read is None:
            return None
        if name := read[1]:
            found[name] = next((value for value in read.groups()[1:] if value), "")
    return found


def named_in(file: Path, beginning: str) -> tuple[str, ...]:
    """Return the variables of a file that begin so, each once; what it makes of their values is not asked."""
    found = re.findall(rf"^[ \t]*(?:export[ \t]+)?({beginning}\w+)[ \t]*[=:]", plain_text(file) or "", re.ASCII | re.MULTILINE)
    return tuple(dict.fromkeys(found))


def _asked(files: Sequence[Path]) -> dict[str, str]:
    """Have Compose resolve a project that is nothing but these variables."""
    from spark_mode.engine.local import local_socket
    from spark_mode.engine.questions import ask, collect, understood

    flags = [part for file in files for part in ("--env-file", str(file))]
    wanted = {name: f"${{{name}-}}" for name in (FILE, SEPARATOR)}
    project = json.dumps({"name": _UNNAMED, "services": {}, "x-settings": wanted})
    question = ask([*flags, "--file", "-", "config", "--format", "json"], local_socket(), project)
    said = collect({"settings": question})["settings"].text(
        ", ".join(map(str, files)), "correct it; nothing is touched until then"
    )
    return understood(said, lambda: _settings(json.loads(said)))


def _settings(resolved: dict[str, dict[str, str]]) -> dict[str, str]:
    name, settings = str(resolved["name"]), resolved["x-settings"]
    found = {one: str(settings[one]).replace("$$", "$") for one in (FILE, SEPARATOR)}  # as Compose writes a dollar sign
    return found | {NAME: "" if name == _UNNAMED else name}
