"""Answers of another form: a recorded one with something strange in each place of it."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

STRANGE: tuple[Any, ...] = (None, [], {}, "x", -1, float("inf"), "\ud800")


def mutated(recorded: Any) -> Iterator[Any]:
    """Yield an answer with each value at each depth replaced by each strange one, or taken away."""
    yield from STRANGE
    for way in _ways(recorded):
        for value in STRANGE:
            changed, within = _inside(recorded, way)
            within[way[-1]] = value
            yield changed
        changed, within = _inside(recorded, way)
        del within[way[-1]]
        yield changed


def _ways(value: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value in another."""
    for key, below in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (key,)
        yield from ((key, *way) for way in _ways(below))


def _inside(recorded: Any, way: Sequence[Any]) -> tuple[Any, Any]:
    """Return a copy, and what has in it the last of the way."""
    within = changed = copy.deepcopy(recorded)
    for key in way[:-1]:
        within = within[key]
    return changed, within
