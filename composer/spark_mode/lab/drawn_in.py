"""Which other files a file of a lab draws in, told from its text before Compose or anything else acts on it.

Compose has no answer to this: it reads them all, and says what came of it. So the text is read as YAML, whatever its shape,
and everything under a key that names files counts. What is named in vain is a path that nobody reads.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import yaml

from spark_mode.errors import ConfigurationError
from spark_mode.lab.document import roots

_AT_THE_TOP = frozenset({"include", "extends"})
"""`include` of a Compose file, and `extends` of rules."""
_OF_A_SERVICE = frozenset({"extends", "env_file", "label_file"})
_MORE = frozenset({"include", "extends"})
"""What these name may name more files."""
_NO_PATHS = frozenset({"service", "required", "format"})
"""Keys beside the paths: of `extends`, and of a long `env_file`."""


class Drawn(NamedTuple):
    """A path as it stands in the text; `draws_in` says that it may name more files itself."""

    path: str
    draws_in: bool


@lru_cache(maxsize=64)
def drawn_in(text: str, name: str) -> tuple[Drawn, ...]:
    """Return what a text draws in. Raises ConfigurationError, with the file's `name`, where that cannot be told.

    A path with a variable in it is one of those: what Compose would make of it depends on files that are not read yet.
    """
    try:
        found = {one for root in roots(text, name) for one in _at_the_top(root)}
    except RecursionError:
        raise ConfigurationError(f"{name}: nested too deep", "correct it") from None
    for one in found:
        if "$" in one.path or "://" in one.path:
            raise ConfigurationError(f"{name}: what {one.path} is cannot be told before it is read", "write the path out")
    return tuple(sorted(found))


def _at_the_top(root: yaml.Node) -> Iterator[Drawn]:
    seen: set[int] = set()
    for key, value in _merged(root, set()):
        yield from _named(value, key, set()) if key in _AT_THE_TOP else _of_services(value, seen)


def _merged(node: yaml.Node, seen: set[int]) -> Iterator[tuple[str, yaml.Node]]:
    """Yield the pairs of a mapping, with those of the mappings that are merged into it (`<<`)."""
    for key, value in _new_pairs(node, seen):
        if key == "<<":
            yield from _merged(value, seen)
        else:
            yield key, value


def _of_services(node: yaml.Node, seen: set[int]) -> Iterator[Drawn]:
    """Yield what is drawn in below a node, however deep."""
    for key, value in _new_pairs(node, seen):
        is_name = key == "extends" and isinstance(value, yaml.ScalarNode)  # of a service in the same file
        yield from _named(value, key, set()) if key in _OF_A_SERVICE and not is_name else _of_services(value, seen)


def _new_pairs(node: yaml.Node, seen: set[int]) -> Iterator[tuple[str, yaml.Node]]:
    """Yield the pairs of a mapping, or of those in a list. What was `seen` is not visited again: aliases may form a circle."""
    if id(node) in seen:
        return
    seen.add(id(node))
    for one in node.value if isinstance(node, yaml.SequenceNode) else ():
        yield from _new_pairs(one, seen)
    yield from _pairs(node)


def _named(node: yaml.Node, key: str, seen: set[tuple[int, str]]) -> Iterator[Drawn]:
    """Yield the paths that a key names: one, a list, or the long form of either."""
    if (id(node), key) in seen:
        return
    seen.add((id(node), key))
    if isinstance(node, yaml.ScalarNode):
        yield Drawn(node.value, key in _MORE)
    for one in node.value if isinstance(node, yaml.SequenceNode) else ():
        yield from _named(one, key, seen)
    for inner, value in _pairs(node):
        if inner not in _NO_PATHS:
            yield from _named(value, inner if inner in _OF_A_SERVICE else key, seen)


def _pairs(node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((str(key.value), value) for key, value in node.value)
