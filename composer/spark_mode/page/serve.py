"""The page's server: where it listens, how long it waits for whom, and how it ends."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from spark_mode.page.door import HEADERS, LARGEST, Door
from spark_mode.page.peer import uid_of

HEAD_SECONDS = 5
"""How long a request's first lines may take, and how long a connection may say nothing, before its first one and between two."""
END_SECONDS = 2
"""How long what is still being answered may take once the page ends."""
MOST = 64
MOST_OF_OTHERS = 8
"""Connections at once; those of other users, who are told that the page is not theirs, are counted apart."""
MOST_TOLD = 16
"""So many of ours beyond those are told that there are too many."""


class Connection(H11Protocol):
    """A connection of which is known who holds the other end, and which does not wait for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self.peer = uid_of(transport.get_extra_info("socket"))
        self.app_state = {**self.app_state, "peer": self.peer}
        self.is_ours = self.peer in (0, os.geteuid())
        beside = [one for one in self.connections if isinstance(one, Connection) and one.is_ours == self.is_ours]
        self.app_state["full"] = self.is_ours and len(beside) > MOST
        if len(beside) > (MOST + MOST_TOLD if self.is_ours else MOST_OF_OTHERS):
            transport.abort()
        self._wait_for_a_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.deadline.cancel()
        self._wait_for_a_request()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, as the door would."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()  # it came in the middle of an answer
            return
        headers = [*HEADERS.items(), ("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close")]
        for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=msg.encode()), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.deadline.cancel()

    def _wait_for_a_request(self) -> None:
        self.deadline = self.loop.call_later(HEAD_SECONDS, self._close_if_nothing_is_asked)

    def _close_if_nothing_is_asked(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


class Server(uvicorn.Server):
    """A server that sleeps until it is told to end, and ends as what went well."""

    def __init__(self, config: uvicorn.Config, page: Door, beside: AbstractAsyncContextManager[None]) -> None:
        super().__init__(config)
        self._page, self._beside = page, beside

    async def main_loop(self) -> None:
        """Wait for the end; uvicorn's own looks ten times a second whether it has come."""
        ending, loop = asyncio.Event(), asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(one, ending.set)
        async with self._beside:
            await ending.wait()
        self._page.over.come()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(page: Door, sockets: Sequence[socket.socket], beside: AbstractAsyncContextManager[None]) -> None:
    """Serve the page at these sockets until SIGTERM, SIGHUP or Ctrl-C, and be in `beside` meanwhile.

    No request is logged: an address may hold a link's token.
    """
    config = uvicorn.Config(
        page,
        http=Connection,
        ws="none",
        lifespan="on",
        loop="asyncio",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=MOST,  # so many are accepted at one go: of uvicorn's own 2048 each would have a descriptor before one is refused
        timeout_keep_alive=HEAD_SECONDS,
        timeout_graceful_shutdown=END_SECONDS,
        h11_max_incomplete_event_size=LARGEST,
    )
    asyncio.run(Server(config, page, beside).serve(list(sockets)))
