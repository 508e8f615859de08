"""Which machines are meant: fleet.yaml, and the names and patterns that choose among them.

A name that fleet.yaml does not have goes to ssh as it is: ssh's own configuration may know it. Whoever asks machines waits for
this before the first of them is asked, so these are no models that have to be built.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.plain_file import is_there, read_plain

ALL = "all"
NAME = r"[A-Za-z0-9_][A-Za-z0-9_.:%-]*(@[A-Za-z0-9_][A-Za-z0-9_.:%-]*)*"
"""What ssh may be given: never something that it takes for an option, nor a machine's name of that form."""
COMMAND = r"[A-Za-z0-9_./~+][A-Za-z0-9_./~+-]*"
LONGEST = 255
_WILD = frozenset("*?[")
_INIT = "spark-mode fleet init NAME …"
_OF_NODE = {"ssh": NAME, "command": COMMAND}
"""What may be said of a node, and what it may look like."""


class Node(NamedTuple):
    """A machine. `ssh` is what ssh is given for it, its name where that is left out; `command` is the program there."""

    name: str
    ssh: str | None = None
    command: str = "spark-mode"

    @property
    def address(self) -> str:
        """What ssh is given."""
        return self.ssh or self.name


class Fleet(NamedTuple):
    """The machines that fleet.yaml names, by name, and its groups of them."""

    nodes: dict[str, Node]
    groups: dict[str, tuple[str, ...]]


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
        return Fleet({}, {})
    from spark_mode.lab.document import parse_document, to_correct  # which reads YAML

    try:
        data = parse_document(read_plain(path).decode(), str(path))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigurationError(f"{path}: {reason}", to_correct(str(path))) from None
    data = {} if data is None else data
    if wrong := [*_wrong(data)]:
        raise ConfigurationError("\n".join(f"{path}: {one}" for one in wrong), to_correct(str(path)))
    nodes = {name: Node(name, **_written(said)) for name, said in data.get("nodes", {}).items()}
    return Fleet(nodes, {name: tuple(members) for name, members in data.get("groups", {}).items()})


def _written(said: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what is said of a node: what has no value is left out."""
    return {key: value for key, value in (said or {}).items() if value is not None}


def _wrong(data: Any) -> Iterator[str]:
    """Yield what is wrong with what a fleet.yaml says, each with its place and what to write."""
    if not isinstance(data, dict):
        yield f"the file: {_instead('dict_type', data)}"
        return
    yield from (f'{key}: unknown key "{key}"' for key in data if key not in Fleet._fields)
    nodes, groups = data.get("nodes", {}), data.get("groups", {})
    if isinstance(nodes, dict):
        for name, said in nodes.items():
            if name == ALL:
                yield f'nodes/{name}: "{ALL}" means every node'
            yield from _wrong_text(f"nodes/{name}", name, NAME)
            yield from _wrong_node(f"nodes/{name}", said)
    else:
        yield f"nodes: {_instead('dict_type', nodes)}"
    if isinstance(groups, dict):
        for name, members in groups.items():
            yield from _wrong_group(name, members, nodes if isinstance(nodes, dict) else {})
    else:
        yield f"groups: {_instead('dict_type', groups)}"


def _wrong_node(place: str, said: Any) -> Iterator[str]:
    if not isinstance(said, dict | None):
        yield f"{place}: {_instead('dict_type', said)}"
        return
    for key, value in _written(said).items():
        if key in _OF_NODE:
            yield from _wrong_text(f"{place}/{key}", value, _OF_NODE[key])
        else:
            yield f'{place}/{key}: unknown key "{key}"'


def _wrong_group(name: str, members: Any, nodes: Mapping[str, Any]) -> Iterator[str]:
    from spark_mode.lab.suggestion import suggest  # a mistake may take its time

    place = f"groups/{name}"
    yield from _wrong_text(place, name, NAME)
    if name == ALL:
        yield f'{place}: "{ALL}" means every node already'
    if name in nodes:
        yield f"{place}: is a node, too"
    if not isinstance(members, list):
        yield f"{place}: {_instead('list_type', members)}"
        return
    for number, one in enumerate(members):
        if wrong := [*_wrong_text(f"{place}/{number}", one, NAME)]:
            yield from wrong
        elif one not in nodes:
            yield f'{place}: no node "{one}"{suggest(one, nodes)}'


def _wrong_text(place: str, found: Any, form: str) -> Iterator[str]:
    if not isinstance(found, str):
        yield f"{place}: {_instead('string_type', found)}"
    elif len(found) > LONGEST:
        yield f"{place}: {_instead('string_too_long', found, max_length=LONGEST)}"
    elif form == COMMAND and not re.fullmatch(form, found):
        yield f'{place}: write the path of a program, such as ~/.local/bin/spark-mode, not "{found}"'
    elif not re.fullmatch(form, found):
        yield f"{place}: {_instead('string_pattern_mismatch', found, pattern=form)}"


def _instead(kind: str, found: Any, **context: object) -> str:
    """Return what to write instead of something, in the words for all such mistakes."""
    from spark_mode.lab.mistakes import in_our_words  # as above

    return in_our_words({"type": kind, "input": found, "ctx": context})


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
        if not fleet.nodes:
            raise UsageFault(f'-H: there is no fleet.yaml that says what "{pattern}" is', f"write it: {_INIT}")
        if not found:
            raise UsageFault(f'-H: no node of fleet.yaml is "{pattern}"', "see which there are: spark-mode fleet show")
        return found
    if pattern in fleet.groups:
        return {name: fleet.nodes[name] for name in fleet.groups[pattern]}
    if not re.fullmatch(NAME, pattern) or len(pattern) > LONGEST:
        raise UsageFault(f'-H: "{pattern[:LONGEST]}" is no name of a machine', "write names, parted by commas: -H spark1,spark2")
    return {pattern: fleet.nodes.get(pattern) or Node(pattern)}


def _same_address(nodes: Sequence[Node]) -> tuple[str, str] | None:
    """Return two names of one machine: to ask it twice at once would have it wait for itself."""
    seen: dict[str, str] = {}
    for one in nodes:
        if other := seen.get(one.address):
            return other, one.name
        seen[one.address] = one.name
    return None
