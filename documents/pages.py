"""The documents, and what is made of each: its screens, and what stands between `<!-- made: NAME -->` and `<!-- made -->`."""

import re
from collections.abc import Callable

from documents.keys import keys
from documents.screens import with_screens
from documents.spark import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PARTS: dict[str, Callable[[], str]] = {"keys": keys}
_PART = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- made -->)", re.DOTALL)


def made(text: str) -> str:
    """Return a document with what is made of it as it is now."""
    return with_screens(_PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n{found[3]}", text))
