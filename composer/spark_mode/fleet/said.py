"""What another machine has said: it may be anything, and is taken only as what it should be."""

import json
import math
import re
from contextlib import suppress
from itertools import islice
from typing import Any

EXIT_CODES = frozenset({*range(8), 75, 130})
"""Those of spark-mode; what else comes is a shell's, or a kernel's."""
GREETINGS = 20
"""Lines of a login's own that look as if JSON began there."""


def read_json(text: str) -> Any:
    """Return what a text says as JSON; None where it is none, or nested too deep."""
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


def json_in(out: str) -> Any:
    """Return the JSON that a machine printed last, None where it is none; what a login prints before it is none of ours."""
    begins = islice(re.finditer(r"^[\[{]", out, re.MULTILINE), GREETINGS)
    return next((found for one in begins if (found := read_json(out[one.start() :])) is not None), None)


def data_in(out: str) -> dict[str, Any] | None:
    """Return what a machine has answered; None where that is no answer, or an error."""
    found = json_in(out)
    return found if isinstance(found, dict) and "error" not in found else None


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
    """Return a number, None for anything else, and for one that is no finite one."""
    with suppress(OverflowError):
        if isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found):
            return float(found)
    return None


def as_exit_code(found: Any) -> int:
    """Return an exit code of spark-mode's, that of a failure for anything else."""
    return found if isinstance(found, int) and not isinstance(found, bool) and found in EXIT_CODES else 1
