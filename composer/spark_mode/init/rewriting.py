"""Putting measured figures into the text of a rules file: what is replaced is the figures alone, and every comment stays."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import yaml

from spark_mode.init.sizing import UNKNOWN

_UNKNOWN = re.compile(rf"# {re.escape(UNKNOWN)}$", re.MULTILINE)


class Figures(NamedTuple):
    """Sizes as rules.yaml has them, such as `7.5GB`, and what they rest on."""

    planned: str
    low: str
    high: str
    evidence: str


class _Change(NamedTuple):
    start: int
    end: int
    text: str


def with_figures(text: str, figures: Mapping[str, Figures]) -> str:
    """Return the text with these figures for the footprints of workloads, or of their variants: `training:large`.

    A workload that the text does not describe is left as it is. Raises yaml.YAMLError for what is not YAML.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    workloads = _at(root, "workloads")
    changes = [
        change
        for name, one in figures.items()
        for node in _footprints(workloads, name)
        for change in _changes(node, one, is_all=node is _at(workloads, name))
    ]
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    for one in figures.values():
        text = _explained(text, one)
    return text


def described(text: str, name: str) -> bool:
    """Whether a text has a footprint for a workload or a variant of that name."""
    return any(True for _ in _footprints(_at(yaml.compose(text, Loader=yaml.SafeLoader), "workloads"), name))


def _footprints(workloads: yaml.Node | None, name: str) -> Iterator[yaml.Node]:
    """Yield the footprint of a workload, and of its default variant, which is the same; or that of another variant.

    A bare size in the place of the workload's keys is its footprint.
    """
    base, _, variant = name.rpartition(":")
    own = _at(workloads, name)
    if isinstance(own, yaml.ScalarNode):
        yield own
    elif own is not None:
        default = _at(own, "default_variant")
        shown = default.value if isinstance(default, yaml.ScalarNode) else ""
        yield from filter(None, (_at(own, "footprint"), _at(own, "variants", shown, "footprint")))
    else:
        yield from filter(None, (_at(workloads, base, "variants", variant, "footprint"),))


def _at(node: yaml.Node | None, *keys: str) -> yaml.Node | None:
    for key in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        node = next((value for one, value in pairs if one.value == key), None)
    return node


def _changes(node: yaml.Node, figures: Figures, is_all: bool) -> Iterator[_Change]:
    """Yield what is replaced of a footprint; where that `is_all` that stands there of the workload it gets its key."""
    sizes = {"planned": figures.planned, "low": figures.low, "high": figures.high}
    if not isinstance(node, yaml.MappingNode):
        whole = f"{{{', '.join(f'{key}: {size}' for key, size in sizes.items())}}}"
        yield _Change(node.start_mark.index, node.end_mark.index, f"{{footprint: {whole}}}" if is_all else whole)
        return
    there = {key.value: value for key, value in node.value}
    for key, value in there.items():
        yield _Change(value.start_mark.index, value.end_mark.index, sizes[key])
    first = node.value[0][0].start_mark
    between = ", " if node.flow_style else "\n" + " " * first.column
    missing = "".join(f"{key}: {size}{between}" for key, size in sizes.items() if key not in there)
    if missing:
        yield _Change(first.index, first.index, missing)


def _explained(text: str, figures: Figures) -> str:
    """Return the text with what a new figure rests on in place of a comment that says of it that nothing is known."""
    line = (
        rf"(?m)^(.*\bplanned: {re.escape(figures.planned)}, low: {re.escape(figures.low)}, high: {re.escape(figures.high)}\b.*)"
    )
    return re.sub(line + _UNKNOWN.pattern, lambda found: f"{found[1]}# {figures.evidence}", text)
