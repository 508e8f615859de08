"""A page from its first link to its end."""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from ctypes import CDLL

from spark_mode.page.access import Access
from spark_mode.page.door import guarded
from spark_mode.page.hosts import Address
from spark_mode.page.links import Link, answering
from spark_mode.page.page_lab import PageLab
from spark_mode.page.places import Place, listen, listen_at, removed_at_the_end
from spark_mode.page.routes import routes
from spark_mode.page.serve import serve

M_ARENA_MAX = -8
"""As glibc's malloc.h has it (mallopt(3))."""

SHORTER = "set XDG_STATE_HOME to a short path that you may write"


def run(lab: PageLab, place: Place, proxy: Address | None, read_only: bool, ready: Callable[[Link], None]) -> None:
    """Run the page of a lab at a place until SIGTERM, SIGHUP or Ctrl-C; `ready` is told the first link once it can be opened.

    Raises ConfigurationError where the place is taken, or may not be listened at.
    """
    _share_one_heap()
    access = Access(os.geteuid(), proxy, read_only)
    with ExitStack() as ends:
        sockets = [ends.enter_context(one) for one in listen(place)]
        ends.enter_context(removed_at_the_end(place.path))
        if not place.path:
            place = Place(sockets[0].getsockname()[1])
        for_links = ends.enter_context(listen_at(place.for_links, SHORTER))
        ends.enter_context(removed_at_the_end(place.for_links))

        def link_of(token: str) -> Link:
            origin = f"https://{proxy}" if proxy else f"http://127.0.0.1:{place.port}"
            return Link(f"{origin}/link?token={token}", str(place.path or place.port))

        ready(link_of(access.new_link(time.monotonic())))
        serve(guarded(routes(lab), access), sockets, answering(for_links, access, link_of))


def _share_one_heap() -> None:
    """Have all threads of the page allocate from one heap: one for each would hold what no other uses, a megabyte of it."""
    with suppress(AttributeError, OSError):  # a C library that knows no such thing
        CDLL(None).mallopt(M_ARENA_MAX, 1)
