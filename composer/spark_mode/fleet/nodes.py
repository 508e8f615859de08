"""Which machines are meant: fleet.yaml, and the names and patterns that choose among them.

A name that fleet.yaml does not have goes to ssh as it is: ssh's own configuration may know it.
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.frozen import Frozen
from spark_mode.lab.document import parse_document, to_correct
from spark_mode.lab.mistakes import in_our_words
from spark_mode.lab.suggestion import suggest
from spark_mode.plain_file import is_there, read_plain

ALL = "all"
NAME = r"[A-Za-z0-9_][A-Za-z0-9_.@:%-]*"
"""What ssh may be given: never something that it takes for an option."""
LONGEST = 255
_WILD = frozenset("*?[")
_INIT = "spark-mode fleet init NAME …"
Name = Annotated[str, StringConstraints(pattern=rf"^{NAME}$", max_length=LONGEST)]
Command = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_./~+-]+$", max_length=LONGEST)]


class Node(Frozen):
    """A machine. `ssh` is what ssh is given for it, its name where that is left out; `command` is the program there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    ssh: Name | None = None
    command: Command = "spark-mode"

    @property
    def address(self) -> str:
        """What ssh is given."""
        return self.ssh or self.name


class Fleet(Frozen):
    """The machines that fleet.yaml names, by name, and its groups of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    nodes: dict[Name, Node] = Field(default_factory=dict)
    groups: dict[Name, tuple[Name, ...]] = Field(default_factory=dict)


def names_of(fleet: Fleet) -> list[str]:
    """Return all that may be named of it."""
    return [*fleet.nodes, *fleet.groups, *([ALL] if fleet.nodes else [])]


def fleet_file(environment: Mapping[str, str]) -> Path:
    """Return where fleet.yaml is: `SPARK_MODE_FLEET`, else the user's configuration directory."""
    named = environment.get("SPARK_MODE_FLEET")
    return Path(named) if named else Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "spark-mode/fleet.yaml"


def known_fleet(environment: Mapping[str, str]) -> Fleet:
    """Return what the user's fleet.yaml says, nothing where there is none. Raises ConfigurationError as `read_fleet` does."""
    path = fleet_file(environment)
    if environment.get("SPARK_MODE_FLEET") and not is_there(path):
        raise ConfigurationError(f"SPARK_MODE_FLEET names {path}, which is not there", f"unset it, or write the file: {_INIT}")
    return read_fleet(path)


def read_fleet(path: Path) -> Fleet:
    """Return what a fleet.yaml says, nothing where there is none. Raises ConfigurationError with all mistakes, a line each."""
    if not is_there(path):
        return Fleet()
    try:
        data = parse_document(read_plain(path).decode(), str(path))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigurationError(f"{path}: {reason}", to_correct(str(path))) from None
    data = data or {}
    nodes = data.get("nodes") if isinstance(data, dict) else None
    if isinstance(nodes, dict):
        named = {name: {**(one or {}), "name": name} if isinstance(one, dict | None) else one for name, one in nodes.items()}
        data = {**data, "nodes": named}
    try:
        fleet = Fleet.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError("\n".join(f"{path}: {_said(one)}" for one in error.errors()), to_correct(str(path))) from None
    if wrong := [*_wrong(fleet)]:
        raise ConfigurationError("\n".join(f"{path}: {one}" for one in wrong), to_correct(str(path)))
    return fleet


def _said(mistake: Any) -> str:
    where = [str(one) for one in mistake["loc"] if one != "[key]"] or ["the file"]
    known = f'unknown key "{where[-1]}"' if mistake["type"] == "extra_forbidden" else in_our_words(mistake)
    return f"{'/'.join(where)}: {known}"


def _wrong(fleet: Fleet) -> list[str]:
    found = [f'groups/{ALL}: "{ALL}" means every node already' for name in fleet.groups if name == ALL]
    found += [f"groups/{name}: is a node, too" for name in fleet.groups if name in fleet.nodes]
    for name, members in fleet.groups.items():
        found += [f'groups/{name}: no node "{one}"{suggest(one, fleet.nodes)}' for one in members if one not in fleet.nodes]
    return found


def chosen(patterns: str, fleet: Fleet) -> tuple[Node, ...]:
    """Return the machines that are meant, in the order of their names, which is the same for all who ask.

    Patterns are parted by commas, as for Ansible: a name, a group, `all`, one with `*`, `?` or `[…]`, and with `!` before it what
    is left out. Raises UsageFault where one means nothing.
    """
    meant: dict[str, Node] = {}
    parts = [one.strip() for one in patterns.split(",") if one.strip()]
    for one in sorted(parts, key=lambda part: part.startswith("!")):  # what is left out comes last, wherever it stands
        found = _meant(one.lstrip("!"), fleet)
        meant = {name: node for name, node in meant.items() if name not in found} if one[0] == "!" else meant | found
    if not meant:
        raise UsageFault(f'-H: "{patterns}" means no machine', f"name one, or write down which there are: {_INIT}")
    twice = _same_address([*meant.values()])
    if twice:
        raise UsageFault(f"-H: {twice[0]} and {twice[1]} are one machine", "name it once")
    return tuple(meant[name] for name in sorted(meant))


def _meant(pattern: str, fleet: Fleet) -> dict[str, Node]:
    if pattern == ALL or _WILD & {*pattern}:
        found = {name: node for name, node in fleet.nodes.items() if pattern == ALL or fnmatchcase(name, pattern)}
        if not found:
            raise UsageFault(f'-H: no node of fleet.yaml is "{pattern}"', f"write down which there are: {_INIT}")
        return found
    if pattern in fleet.groups:
        return {name: fleet.nodes[name] for name in fleet.groups[pattern]}
    if not re.fullmatch(NAME, pattern) or len(pattern) > LONGEST:
        raise UsageFault(f'-H: "{pattern[:LONGEST]}" is no name of a machine', "write names, parted by commas: -H spark1,spark2")
    return {pattern: fleet.nodes.get(pattern) or Node(name=pattern)}


def _same_address(nodes: Sequence[Node]) -> tuple[str, str] | None:
    """Return two names of one machine: to ask it twice at once would have it wait for itself."""
    seen: dict[str, str] = {}
    for one in nodes:
        if other := seen.get(one.address):
            return other, one.name
        seen[one.address] = one.name
    return None
