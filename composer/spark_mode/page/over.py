"""What goes on being answered, such as a stream of events, ends with the session that asked for it, and with the page."""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Over:
    """Whether the page has come to its end. Whoever still waits for more is told then that nobody listens."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._over, self._now = asyncio.Event(), now

    def come(self) -> None:
        """Have the page come to its end."""
        self._over.set()

    async def answer(self, page: ASGIApp, scope: Scope, receive: Receive, send: Send, until: float) -> None:
        """Have the page answer until a time; an answer that goes on by then is cut off where it is, and is whole as it is."""
        is_unfinished = False

        async def said(message: Message) -> None:
            nonlocal is_unfinished
            is_unfinished = message["type"] == "http.response.start" or message.get("more_body", False)
            await send(message)

        async def heard() -> Message:
            coming, over = asyncio.ensure_future(receive()), asyncio.ensure_future(self._over.wait())
            left = None if until == float("inf") else max(0.0, until - self._now())
            try:
                done, _ = await asyncio.wait((coming, over), timeout=left, return_when=asyncio.FIRST_COMPLETED)
                return coming.result() if coming in done else {"type": "http.disconnect"}
            finally:
                coming.cancel()
                over.cancel()

        await page(scope, heard, said)
        if is_unfinished:
            await send({"type": "http.response.body"})
