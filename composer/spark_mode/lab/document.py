"""Reading a YAML document from outside without letting it hurt: small, plain, no aliases, no duplicate keys.

PyYAML's safe_load can be made to hang by a few hundred bytes of nested merge keys (yaml/pyyaml#235, not to be fixed),
and silently takes the last of two equal keys. Anchors, aliases and merge keys are refused while the text is still a
stream of events, before anything is built from it. So are tags, and keys that are not short, printable text: messages
quote them.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from spark_mode.errors import ConfigurationError

try:
    from yaml import CSafeLoader as _Parser  # libyaml, where PyYAML was built with it: 2 ms instead of 25 for rules.yaml
except ImportError:
    from yaml import SafeLoader as _Parser  # type: ignore[assignment]  # the same, in Python

MAXIMUM_CHARACTERS = 64 * 1024
MAXIMUM_DEPTH = 20
MAXIMUM_KEY = 100


def parse_document(text: str, name: str) -> Any:
    """Return the plain data of a YAML document.

    Raises ConfigurationError, with `name` and the line, for anything that is not plain, small YAML.
    """
    fix = to_correct(name)
    if len(text) > MAXIMUM_CHARACTERS:
        raise ConfigurationError(f"{name}: larger than {MAXIMUM_CHARACTERS // 1024} KiB; this is no file of spark-mode's", fix)
    try:
        _refuse_tricks(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.YAMLError as error:
        raise ConfigurationError(_mistake(name, error), fix) from None
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(f"{name}: {error}", fix) from None


def to_correct(name: str) -> str:
    """Return what to do about a file whose mistakes were found before anything was touched."""
    return f"correct {name}; nothing is touched until then"


def roots(text: str, name: str) -> Iterator[yaml.Node]:
    """Yield the documents of a YAML text, whatever is in them. Raises ConfigurationError, with `name` and the line."""
    try:
        yield from yaml.compose_all(text, Loader=_Parser)
    except yaml.YAMLError as error:
        raise ConfigurationError(_mistake(name, error), "correct it") from None


def scalars(text: str) -> list[str] | None:
    """Return the values and keys of a YAML text as YAML reads them, in order; None for what is not YAML. Builds nothing."""
    try:
        return [event.value for event in yaml.parse(text, Loader=_Parser) if isinstance(event, yaml.ScalarEvent)]
    except yaml.YAMLError:
        return None


def _mistake(name: str, error: yaml.YAMLError) -> str:
    """Return what is wrong with the YAML of a file, with the file's name and, where it is known, the line."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"{name}: {' '.join(str(error).split())}"
    line = f", line {error.problem_mark.line + 1}" if error.problem_mark is not None else ""
    return f"{name}{line}: {error.problem or 'not valid YAML'}"


def _refused(problem: str, mark: Any) -> yaml.MarkedYAMLError:  # the mark is PyYAML's, or libyaml's own
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _refuse_tricks(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Parser):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refused("anchors and aliases are not allowed; write the value out", event.start_mark)
        if getattr(event, "tag", None):
            raise _refused("tags (!) are not allowed; write the plain value", event.start_mark)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAXIMUM_DEPTH:
            raise _refused(f"nested more than {MAXIMUM_DEPTH} levels deep", event.start_mark)


def _is_plain(key: yaml.Node) -> bool:
    if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
        return False
    return 0 < len(key.value) <= MAXIMUM_KEY and key.value.isprintable()


class _Loader(_Parser):
    """A SafeLoader that refuses duplicate and merge keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise _refused("merge keys (<<) are not allowed", key.start_mark)
            if not _is_plain(key):
                advice = "quote it if it looks like a number, a date or yes and no"
                raise _refused(f"a key must be short, plain text; {advice}", key.start_mark)
            if key.value in seen:
                raise _refused(f'the key "{key.value}" is there twice', key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Leave merge keys where they are, so that construct_mapping sees and refuses them."""
