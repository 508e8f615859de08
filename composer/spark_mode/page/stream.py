"""What a page that stays open is told: the parts of it that have changed, as they are shown, and in a few words what happens."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

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


class Parts:
    """The parts of the first page as they are now: made once for all who are shown the same, such as the tabs of a browser."""

    def __init__(self, live: Live) -> None:
        self._live, self._version = live, -1
        self._made: dict[Visitor, dict[str, str]] = {}

    def of(self, look: Look, visitor: Visitor) -> dict[str, str]:
        """Return the parts by their ids, and the page's title; `told` and `alert` are what is read out."""
        if self._version != self._live.version:
            self._version, self._made = self._live.version, {}
        if visitor not in self._made:
            self._made[visitor] = _shown(look, self._live, visitor)
        return self._made[visitor]


async def told(live: Live, parts: Parts, visitor: Visitor) -> AsyncGenerator[bytes, None]:
    """Yield the events of one page, the whole state first."""
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    known: dict[str, str] = {}
    said_at = time.monotonic()
    async for look in live.changes():
        shown = parts.of(look, visitor)
        changed = {name: text for name, text in shown.items() if known.get(name) != text}
        known = shown
        if changed:
            said_at = time.monotonic()
            yield f"id: {live.version}\nevent: state\ndata: {json.dumps(changed)}\n\n".encode()
        elif time.monotonic() - said_at >= COMMENT_SECONDS:
            said_at = time.monotonic()
            yield b": still here\n\n"


class EventStream(Response):
    """Events as an answer, until they end, or nobody listens any more.

    Starlette's own stream does the same by tasks of another library, which takes a megabyte.
    """

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"}, media_type="text/event-stream")
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as every answer
        telling, gone = asyncio.create_task(self._tell(send)), asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((telling, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (telling, gone):
                one.cancel()
            ended = await asyncio.gather(telling, gone, return_exceptions=True)
            await self._events.aclose()
        for failure in ended:
            if isinstance(failure, Exception):
                raise failure

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for one in self._events:
            await send({"type": "http.response.body", "body": one, "more_body": True})
        await send({"type": "http.response.body"})


async def _gone(receive: Receive) -> None:
    """Wait until whoever listened has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _shown(look: Look, live: Live, visitor: Visitor) -> dict[str, str]:
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
