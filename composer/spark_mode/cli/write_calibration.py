"""`spark-mode calibrate --write`: measured figures in rules.yaml, after the difference was shown."""

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spark_mode.atomic_file import replace_file
from spark_mode.cli.show_calibration import calibration_text, figures_of, lack
from spark_mode.errors import ConfigurationError
from spark_mode.init.rewriting import Figures, described, with_figures
from spark_mode.journal.measurements import Footprints, footprints, read_measurements
from spark_mode.lab.document import parse_document
from spark_mode.lab.rules_reading import read_rules
from spark_mode.session.rules_file import text_of

if TYPE_CHECKING:
    from spark_mode.session.session import Session


def write_figures(session: "Session") -> tuple[Any, Callable[[], str]]:
    """Write what was measured into the rules file, and return the result for programs and the text for people.

    Raises ConfigurationError where the file cannot be written, or where its sizes are those of another one on another scale.
    """
    path = Path(session.files.rules)
    before = text_of(path)
    if isinstance(document := parse_document(before, path.name), dict) and "scale" in document:
        message = f"{path} has another file's sizes on a scale of its own: what is measured here goes into neither"
        raise ConfigurationError(message, "see the figures: spark-mode calibrate")
    seen = footprints(read_measurements(session.measurements_path))
    figures = {one.workload: _figures(one) for one in seen if one.agrees and described(before, one.workload)}
    after = with_figures(before, figures)
    if after == before:
        return {"written": []}, lambda: f"{calibration_text(seen)}\n\nnothing to write into {path}"
    read_rules(after, path.name, lambda other: text_of(path.parent / other))  # what cannot be read back is never written
    try:
        replace_file(path, after.encode(), 0o644, keep=True)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: {error.strerror}", "make it writable, or copy the lines: spark-mode calibrate"
        ) from None
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), path.name, f"{path.name}, measured", lineterm="", n=0)
    little = [f"{one.workload} is left as it is: {lack(one)}" for one in seen if not one.agrees]
    return {"written": [*figures]}, lambda: "\n".join([*lines, *little, f"{path} is written"])


def _figures(one: Footprints) -> Figures:
    return Figures(*figures_of(one), f"measured: the median of {one.count} starts")
