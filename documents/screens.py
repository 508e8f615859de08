"""The screens in the documents: a block of `console` with a mark before it is run on a simulated Spark, and filled in.

    <!-- screen: audio chatterbox; somebody starts training -->

says what was done before, one thing after the other; `go on` goes on where the former screen left off, and `own` is in the lab
whose rules the document shows. In the block each line after `$` is typed, and what was printed stands below it. What only a real
engine shows has `<!-- by hand: where and when -->`.
"""

import re
from contextlib import ExitStack

from documents.spark import Terminal, terminal

MARK = re.compile(r"(?P<mark><!-- screen(?:: (?P<before>[^>]*?))? -->\n\n?)```console\n(?P<lines>.*?)```", re.DOTALL)
GO_ON, OWN = "go on", "own"
_RULES = re.compile(r"```yaml\n((?:projects|workloads):.*?)```", re.DOTALL)


def with_screens(text: str) -> str:
    """Return a document with every screen as it is now."""
    parts: list[str] = []
    place, here = 0, None
    with ExitStack() as stack:
        for found in MARK.finditer(text):
            before = [one.strip() for one in (found["before"] or "").split(";") if one.strip()]
            if here is None or before[:1] != [GO_ON]:
                rules = _RULES.search(text) if OWN in before else None
                here = stack.enter_context(terminal(rules=rules[1] if rules else None))
            parts += text[place : found.start()], found["mark"], "```console\n", _screen(here, before, found["lines"]), "```"
            place = found.end()
    return "".join([*parts, text[place:]])


def _screen(here: Terminal, before: list[str], lines: str) -> str:
    for one in before:
        if one not in (GO_ON, OWN):
            here.happens(one)
    return "".join(f"{line}\n{_ended(here.type(line[2:]))}" for line in lines.splitlines() if line.startswith("$ "))


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
