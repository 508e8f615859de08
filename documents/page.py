"""The page of a simulated Spark, in each of the states that it can be in: for pictures, and for tests that look at them."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from documents.spark import Terminal, terminal
from spark_mode.engine.doors import GpuReading
from spark_mode.page.access import Visitor
from spark_mode.page.page_lab import PageLab
from spark_mode.page.routes import routes
from spark_mode.session.session import Session
from spark_mode.sharing.lock import switch_lock
from tests.simulation.machine import NoGpu

STATES = {
    "idle": (),
    "a mode": ("audio chatterbox --with llama3.1:8b", "25 minutes pass"),
    "switching": ("audio chatterbox", "40 minutes pass", "the next one is killed at 6", "training --yes"),
    "rolled back": ("audio omni", "40 minutes pass", "xtts does not come up", "audio xtts"),
    "failed and stopped": ("audio omni", "40 minutes pass", "xtts does not come up", "audio xtts --no-restore"),
    "needs recover": ("audio chatterbox", "40 minutes pass", "the next one is killed at 6", "training --yes"),
    "Docker does not answer": ("audio omni", "40 minutes pass", "Docker stops"),
    "a long run": ("audio omni", "40 minutes pass", "training", "552 minutes pass"),
    "held": ("audio omni --hold", "40 minutes pass"),
    "against the rules": ("audio omni", "training", "3 minutes pass", "somebody starts omni", "1 minute passes"),
    "low memory": ("audio chatterbox --with llama3.1:8b", "25 minutes pass", "somebody takes 104GB"),
}
"""What has happened before each."""
LOCKED = "switching"
"""The state in which somebody holds the lock."""
TRAINS = GpuReading(utilisation=97, celsius=71, watts=62.0, megahertz=2405)
RESTS = GpuReading(utilisation=0, celsius=38, watts=9.0, megahertz=208)


class _Gpu(NoGpu):
    """A GPU that is busy while something trains."""

    def __init__(self, here: Terminal) -> None:
        self._here = here

    def read(self) -> GpuReading:
        return TRAINS if "training" in self._here.spark.running() else RESTS

    def utilisation(self) -> int | None:
        return self.read().utilisation


class _Nothing:
    """Nothing happens to the containers, and time passes by itself."""

    ended = False

    def wait(self, seconds: float) -> bool:
        return threading.Event().wait(seconds)


class _LetIn:
    """What stands in the place of the door: everybody comes in."""

    def __init__(self, page: ASGIApp, read_only: bool) -> None:
        self._page, self._visitor = page, Visitor(read_only, "0" * 64)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["visitor"] = self._visitor
        await self._page(scope, receive, send)


@contextmanager
def state(name: str, read_only: bool = False) -> Iterator[ASGIApp]:
    """Have the page of a Spark to which that has happened."""
    with terminal() as here, ExitStack() as stack:
        for one in STATES[name]:
            here.happens(one)

        here.spark.changes = lambda *_: nullcontext(_Nothing())  # type: ignore[assignment]  # time does not pass there

        def opened() -> Session:
            session = here.session()
            session.gpu = _Gpu(here)
            return session

        stack.enter_context(here.there())
        if name == LOCKED:
            session = opened()
            folder = session.directories.locks
            lock = stack.enter_context(switch_lock(folder, "training", 0.0, print, session.clock))
            lock.doing("stop chatterbox")
        yield _LetIn(Starlette(routes=routes(PageLab(opened, ("false",), here.spark.folder))), read_only)


@contextmanager
def served(page: ASGIApp) -> Iterator[str]:
    """Have a page at an address of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(page, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()
