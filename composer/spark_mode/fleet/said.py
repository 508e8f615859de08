"""What another machine has said: it may be anything, and is taken only as what it should be."""

import json
from contextlib import suppress
from typing import Any


def read_json(text: str) -> Any:
    """Return what a text says as JSON; None where it is none, or nested too deep."""
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


def as_object(found: Any) -> dict[str, Any]:
    """Return an object, an empty one for anything else."""
    return found if isinstance(found, dict) else {}


def as_list(found: Any) -> list[Any]:
    """Return a list, an empty one for anything else."""
    return found if isinstance(found, list) else []


def as_text(found: Any) -> str:
    """Return a text, an empty one for anything else."""
    return found if isinstance(found, str) else ""


def as_number(found: Any) -> float | None:
    """Return a number, None for anything else, and for one that is larger than anything."""
    with suppress(OverflowError):
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None
    return None


def as_exit_code(found: Any) -> int:
    """Return an exit code, that of a failure for anything else."""
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= 255 else 1
