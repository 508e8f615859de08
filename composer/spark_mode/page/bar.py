"""The machine's memory as a bar: who holds it, what the page cache could give back, what is free, and what was planned. Pure."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from spark_mode.frozen import Frozen
from spark_mode.planning.observed import Memory
from spark_mode.reporting.status_model import Status

Kind = Literal["workload", "other", "rest", "cache", "free"]
WHOLE = 1000.0
"""How wide a bar is, in its own units."""
LEAST = 1.0
"""What is narrower than this is not drawn; it is in the list all the same."""


class Segment(Frozen):
    """A part of the bar: `size` in bytes, `x` and `width` in parts of WHOLE; of a workload what was `planned`, in bytes."""

    kind: Kind
    label: str
    size: int
    x: float = 0.0
    width: float = 0.0
    planned: int | None = None
    shade: int = 0


class Bar(Frozen):
    """The bar. Sizes in bytes; `headroom_x` is where the headroom begins, `planned_width` how far it is planned to be full."""

    total: int
    used: int
    available: int
    segments: tuple[Segment, ...]
    headroom_x: float
    planned_width: float


class _Part(NamedTuple):
    kind: Kind
    label: str
    size: int
    planned: int | None = None


def bar(memory: Memory, seen: Status | None, headroom: int) -> Bar | None:
    """Return the bar; None where the machine does not say what it has."""
    if not memory.total or memory.available is None:
        return None
    used = max(0, memory.total - memory.available)
    parts = [*_within(used, [*_workloads(seen), *_others(seen)])] if seen else []
    free = min(memory.available, memory.available if memory.free is None else memory.free)
    rest = used - sum(one.size for one in parts)
    parts.append(_Part("rest", "the system, and what cannot be told", rest))
    parts.append(_Part("cache", "page cache, given back when it is needed", memory.available - free))
    parts.append(_Part("free", "free", free))
    declared = seen.declared if seen else 0
    return Bar(
        total=memory.total,
        used=used,
        available=memory.available,
        segments=tuple(_placed([one for one in parts if one.size > 0 or one.kind in ("workload", "free")], memory.total)),
        headroom_x=_share(memory.total - headroom, memory.total),
        planned_width=_share(declared, memory.total),
    )


def _workloads(seen: Status) -> Iterable[_Part]:
    """Yield what each workload holds: measured where that is known, else as planned, and a model what its host says."""
    for one in seen.services:
        if one.age is not None and one.planned is not None:
            size = one.planned if one.measured is None else one.measured + (one.grown or 0)
            yield _Part("workload", one.service, max(0, size), one.planned)
    for model in seen.models:
        if model.loaded:
            yield _Part("workload", model.name, model.size or model.planned or 0, model.planned)


def _others(seen: Status) -> Iterable[_Part]:
    models = {one.name for one in seen.models}
    yield from (_Part("other", one.name, one.size) for one in seen.memory_users if one.name not in models)


def _within(used: int, parts: Sequence[_Part]) -> Iterable[_Part]:
    """Yield the parts, smaller where together they are more than is used: what is planned may not be taken yet."""
    total = sum(one.size for one in parts)
    share = min(1.0, used / total) if total else 1.0
    yield from (one._replace(size=int(one.size * share)) for one in parts)


def _placed(parts: Sequence[_Part], total: int) -> Iterable[Segment]:
    x, shade = 0.0, 0
    for one in parts:
        width = _share(one.size, total)
        shade += one.kind == "workload"
        shown = width if width >= LEAST else 0.0
        yield Segment(
            kind=one.kind, label=one.label, size=one.size, planned=one.planned, x=round(x, 2), width=shown, shade=shade % 4
        )
        x += width


def _share(size: int, total: int) -> float:
    return round(min(1.0, max(0.0, size / total)) * WHOLE, 2)
