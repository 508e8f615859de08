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

    async def answer(
        self, page: ASGIApp, scope: Scope, receive: Receive, send: Send, until: float, goes_on: Callable[[], bool]
    ) -> None:
        """Have the page answer until a time, and for as long as it `goes_on`: an answer that is longer is cut off where it is
        then, and is whole as it is. From then on nothing more of it is said.
        """
        is_unfinished, left = False, asyncio.Event()

        async def said(message: Message) -> None:
            nonlocal is_unfinished
            if message.get("more_body") and not goes_on():
                left.set()
                return
            is_unfinished = message["type"] == "http.response.start" or message.get("more_body", False)
            await send(message)

        async def heard() -> Message:
            coming = asyncio.ensure_future(receive())
            ends = [asyncio.ensure_future(one.wait()) for one in (self._over, left)]
            seconds = None if until == float("inf") else max(0.0, until - self._now())
            try:
                done, _ = await asyncio.wait((coming, *ends), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                return coming.result() if coming in done else {"type": "http.disconnect"}
            finally:
                for one in (coming, *ends):
                    one.cancel()

        await page(scope, heard, said)
        if is_unfinished:
            await send({"type": "http.response.body"})
