"""What a page that stays open is told: the parts of it that have changed, as they are shown, and in a few words what happens."""

import json
import time
from collections.abc import AsyncGenerator
from typing import Any

from spark_mode.page.access import Visitor
from spark_mode.page.bar import bar
from spark_mode.page.live import Live
from spark_mode.page.look import Look
from spark_mode.page.render import page
from spark_mode.page.states import Heading, heading

PARTS = ("heading", "memory", "modes", "services", "last")
RETRY_MILLISECONDS = 2000
COMMENT_SECONDS = 15.0
"""How long nothing is said at most, so that whoever is between does not take the connection for dead."""


def values(look: Look, live: Live, visitor: Visitor) -> dict[str, Any]:
    """Return what the templates of the first page need."""
    state = heading(look, live.falling)
    return {
        "look": look,
        "state": state,
        "by": _by(look, state),
        "bar": bar(live.memory, look.status, look.headroom),
        "times": live.times,
        "now": time.monotonic(),
        "visitor": visitor,
        "up": "",
        "lab": look.lab,
        "workloads": look.workloads,
    }


async def told(live: Live, visitor: Visitor) -> AsyncGenerator[bytes, None]:
    """Yield the events of one page, the whole state first."""
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    known: dict[str, str] = {}
    said_at = time.monotonic()
    async for look in live.changes():
        shown = _shown(look, live, visitor)
        changed = {name: text for name, text in shown.items() if known.get(name) != text}
        known = shown
        if changed:
            said_at = time.monotonic()
            yield f"id: {live.version}\nevent: state\ndata: {json.dumps(changed)}\n\n".encode()
        elif time.monotonic() - said_at >= COMMENT_SECONDS:
            said_at = time.monotonic()
            yield b": still here\n\n"


def _shown(look: Look, live: Live, visitor: Visitor) -> dict[str, str]:
    """Return the parts of the page by their ids, and its title; `told` and `alert` are what is read out."""
    known = values(look, live, visitor)
    state: Heading = known["state"]
    parts = {name: page(f"{name}.html", **known) for name in PARTS}
    loud = state.tone == "bad"
    said = ": ".join(filter(None, (state.text, state.detail if state.state == "switching" else "")))
    return {**parts, "title": f"{state.text} · spark-mode", "told": "" if loud else said, "alert": said if loud else ""}


def _by(look: Look, state: Heading) -> str:
    """Return who brought the state about, as far as the history says it."""
    if state.state == "switching" and look.running:
        return look.running.holder.user
    if state.state not in ("mode", "long-run", "failed", "rolled-back"):
        return ""
    outcomes = ("applied", "recovered") if state.state in ("mode", "long-run") else ("failed", "rolled-back")
    last = next((one for one in reversed(look.history) if one.outcome in outcomes), None)
    return last.by if last else ""
