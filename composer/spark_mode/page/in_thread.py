"""Looking takes its time, so it is done beside the page's loop: by a few threads, since each that there was keeps some memory."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TypeVar

from spark_mode.errors import EngineUnavailable

MOST = 2
"""Beside the one that looks for all who are at the first page."""
LONGEST_SECONDS = 15.0
"""Longer than the engine is waited for: what takes longer waits for others, who wait for an engine that does not answer."""
Found = TypeVar("Found")


@cache
def _pool(name: str, most: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(most, name)


async def in_thread(see: Callable[..., Found], *arguments: object) -> Found:
    """Return what a function returns, called in a thread. Raises as it does, and EngineUnavailable where it takes too long."""
    running = asyncio.get_running_loop().run_in_executor(_pool("page", MOST), partial(see, *arguments))
    try:
        done, _ = await asyncio.wait((running,), timeout=LONGEST_SECONDS)
    finally:
        running.cancel()  # one that has not begun never does
    if not done:
        raise EngineUnavailable(f"Docker did not answer within {LONGEST_SECONDS:g} s", "look at the engine: docker info")
    return running.result()


async def alone(see: Callable[..., Found], *arguments: object) -> Found:
    """Return what a function returns, called in the thread that does nothing else, however long it takes. Raises as it does."""
    return await asyncio.get_running_loop().run_in_executor(_pool("look", 1), partial(see, *arguments))
