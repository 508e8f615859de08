"""Looking takes its time, so it is done beside the page's loop: by a few threads, since each that there was keeps some memory."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TypeVar

MOST = 3
Found = TypeVar("Found")


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MOST, "look")


async def in_thread(see: Callable[..., Found], *arguments: object) -> Found:
    """Return what a function returns, called in a thread. Raises as it does."""
    return await asyncio.get_running_loop().run_in_executor(_pool(), partial(see, *arguments))
