"""From what was seen to HTML. All that comes from outside is text: what a template prints is escaped, readable, and bounded."""

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from spark_mode.lab.size import gb_text
from spark_mode.readable import readable
from spark_mode.reporting.history import Event, end_said
from spark_mode.reporting.local_time import local_times
from spark_mode.wall_time import age, seconds_since

LONGEST = 4000
"""Characters of one thing that is said; a name or a sentence has fewer."""


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"size": _size, "gb": gb_text, "age": age, "since": _since, "here": local_times, "said": _said, "q": _part}
    return made


def page(template: str, **values: Any) -> str:
    """Return a page. Raises UndefinedError for a value that is missing."""
    return _environment().get_template(template).render(**values)


def _shown(value: object) -> object:
    """Return what a template prints as it may be shown."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return readable(value if len(value) <= LONGEST else f"{value[:LONGEST]} …")


def _size(size: int | None) -> str:
    """Return a size, or a dash for one that is not known."""
    return "-" if size is None else gb_text(0 if abs(size) < 5 * 10**7 else size)


def _since(moment: str | None) -> str:
    """Return how long ago a time of the engine or the journal is; nothing for what is no time."""
    seconds = seconds_since(moment) if moment else None
    return "" if seconds is None else age(seconds)


def _said(event: Event, now: datetime | None = None) -> str:
    return local_times(end_said(event), now)


def _part(name: str) -> str:
    """Return a name as one part of a path."""
    return quote(name, safe="")
