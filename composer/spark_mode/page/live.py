"""One observer for all who look at the page: while nobody does, nothing is asked and nobody wakes up."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from spark_mode.errors import EngineUnavailable
from spark_mode.page.in_thread import alone
from spark_mode.page.look import Look, Seen, fault_of, is_switching_now, look, without_engine
from spark_mode.page.page_lab import PageLab
from spark_mode.page.steps import StepTimes
from spark_mode.planning.observed import Memory
from spark_mode.planning.pressure import Sample, trend
from spark_mode.session.session import Session

PATIENCE_SECONDS = 5.0
"""So long who comes waits for a look at an engine that takes its time: then what runs is not known, as it is there."""
FRESH_SECONDS = 1.0
"""So old may be what is shown to somebody who comes: what many ask for at once is looked at once."""
LOOK_SECONDS, SOON_SECONDS = 5.0, 1.0
"""How often everything is looked at without a hint; soon is while a switch runs, or there is an engine to wait for."""
TICK_SECONDS = 1.0
"""How often the memory is read, and whether a switch begins or ends."""


class Live:
    """The last look, and whoever waits for the next one. It belongs to one event loop."""

    def __init__(self, lab: PageLab) -> None:
        self._lab = lab
        self._seen: Seen | None = None
        self._seen_at = 0.0
        self._looking = asyncio.Lock()
        self._changed = asyncio.Event()
        self._hint = asyncio.Event()
        self._watchers = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._asked: set[asyncio.Task[Look]] = set()
        self._samples: deque[Sample] = deque(maxlen=64)
        self.times = StepTimes()
        self.memory = Memory(total=None, available=None)
        self.version = 0

    @property
    def falling(self) -> float:
        """The bytes a second by which the available memory changes."""
        return trend(self._samples) if self._samples else 0.0

    async def look(self, fresh: float = FRESH_SECONDS) -> Look:
        """Return what is there, as seen since so many seconds ago: all who ask during a look are given the one that follows."""
        asked = time.monotonic()
        async with self._looking:
            if self._seen is None or asked - self._seen_at >= fresh:
                began = time.monotonic()
                self._seen, self._seen_at = await alone(look, self._lab), began
                self.times.saw(self._seen.look.running, began)
                self.memory = self._seen.look.memory
                self._tell()
            return self._seen.look

    async def look_now(self, fresh: float = FRESH_SECONDS) -> Look:
        """Return what is there, or that it is not known where looking takes too long; the look goes on for those who wait."""
        looking = asyncio.create_task(self.look(fresh))
        self._asked.add(looking)
        looking.add_done_callback(self._looked)
        await asyncio.wait((looking,), timeout=PATIENCE_SECONDS)
        if looking.done():
            return looking.result()
        fault = fault_of(
            EngineUnavailable(f"Docker did not answer within {PATIENCE_SECONDS:g} s", "look at the engine: docker info")
        )
        return without_engine(self._seen and self._seen.session, self._lab, fault)

    def _looked(self, looking: asyncio.Task[Look]) -> None:
        self._asked.discard(looking)
        if not looking.cancelled():
            looking.exception()  # whoever still waits is told by `result`

    def hint(self) -> None:
        """Have everything be looked at soon: something may have happened."""
        self._hint.set()

    async def changes(self) -> AsyncIterator[Look]:
        """Yield what is there now, and again whenever something of it has changed; memory changes each second.

        It ends when looking has failed as nobody foresaw, such as for want of memory: what is shown would stay as it is, and
        look alive. Who comes again has it looked at anew.
        """
        async with self._watching() as tasks:
            await self.look()
            told = -1
            while self._tasks is tasks:
                if self.version == told:
                    await self._changed.wait()
                    continue
                told = self.version
                if self._seen:
                    yield self._seen.look

    @asynccontextmanager
    async def _watching(self) -> AsyncIterator[list[asyncio.Task[None]]]:
        self._watchers += 1
        if not self._tasks:
            self._tasks = [asyncio.create_task(one()) for one in (self._look_again, self._tick, self._follow)]
            for task in self._tasks:
                task.add_done_callback(self._ended)
        try:
            yield self._tasks
        finally:
            self._watchers -= 1
            if not self._watchers:
                self._rest()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Have all who watch come again after a task that has failed: none of them ends by itself."""
        if task in self._tasks:
            self._rest()
            self._tell()

    def _rest(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()

    def _tell(self) -> None:
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def _look_again(self) -> None:
        while True:
            seen = await self.look()
            soon = seen.running is not None or seen.fault is not None
            try:
                await asyncio.wait_for(self._hint.wait(), SOON_SECONDS if soon else LOOK_SECONDS)
                await asyncio.sleep(0.1)  # events come in swarms
            except TimeoutError:
                pass
            self._hint.clear()
            self._seen_at = 0.0

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self._seen and self._seen.session:
                self._sample(self._seen.session)
                if is_switching_now(self._seen.session) != (self._seen.look.running is not None):
                    self.hint()

    def _sample(self, session: Session) -> None:
        now, self.memory = time.monotonic(), session.machine.memory()
        if self.memory.available is not None:
            self._samples.append(Sample(now, self.memory.available))
        self._tell()

    async def _follow(self) -> None:
        """Have the engine's events hasten a look."""
        loop, over = asyncio.get_running_loop(), threading.Event()
        try:
            while True:
                await self.look()
                if session := self._seen and self._seen.session:
                    told = threading.Thread(target=_listen, args=(session, over, loop, self.hint), daemon=True)
                    told.start()
                    while told.is_alive():
                        await asyncio.sleep(LOOK_SECONDS)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            over.set()


def _listen(session: Session, over: threading.Event, loop: asyncio.AbstractEventLoop, hint: Callable[[], None]) -> None:
    """Tell of each event until it is over, or the engine goes away."""
    with session.docker.changes(*session.project.names) as changes:
        while not over.is_set() and not loop.is_closed():
            happened = changes.wait(TICK_SECONDS)
            if (happened or changes.ended) and not over.is_set():
                loop.call_soon_threadsafe(hint)
            if changes.ended:
                return
