"""What the flags in a project's Compose files make its services take, for whoever holds rules against them."""

from collections.abc import Mapping
from typing import Any

from spark_mode.init.sizing import Size, size_of
from spark_mode.init.traces import traces, untagged


def sizes_by_flag(resolved: Mapping[str, Any], memory: int) -> dict[str, Size]:
    """Return what each service takes whose own flag decides it, on a machine with `memory` bytes."""
    told = {name: (raw, traces(name, raw, reserves_gpu=True)) for name, raw in resolved["services"].items()}
    sizes = {
        name: size_of(name, untagged(raw.get("image") or ""), one, memory, lambda _: None) for name, (raw, one) in told.items()
    }
    return {name: size for name, size in sizes.items() if size and size.flag}
