"""How `spark-mode page link` has a running page make a link: at a socket of its own, which the page's owner alone may open.

It is not asked for at the page itself, though the kernel says there, too, who asks: a proxy that root runs, or the end of an SSH
tunnel, comes as somebody who may do everything, whoever stands behind it.
"""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.page.access import Access
from spark_mode.page.peer import uid_of
from spark_mode.page.places import Place, known_places

SECONDS = 10.0
LARGEST = 4096
NONE = "start it: spark-mode page, or have systemd run it: spark-mode page install"


class Link(NamedTuple):
    """What opens a page, and where that listens: a port, or a socket's path."""

    url: str
    place: str


@asynccontextmanager
async def answering(listening: socket.socket, access: Access, link_of: Callable[[str], Link]) -> AsyncIterator[None]:
    """Make links for whoever may open this socket, until all is over."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                asked = await reader.readline()
            if uid_of(writer.get_extra_info("socket")) in (0, access.owner):
                link = link_of(access.new_link(time.monotonic(), read_only=asked == b"read-only\n"))
                writer.write(json.dumps(link).encode())
        except (TimeoutError, ValueError, OSError):  # who asks has gone, or asks for nothing
            pass
        finally:
            writer.close()

    async with await asyncio.start_unix_server(answer, sock=listening, limit=LARGEST):
        yield


def ask_for_link(place: Place | None, read_only: bool) -> Link:
    """Return a link to the page at a place, or to the only one of this user.

    Raises ConfigurationError where none answers, and UsageFault where there are several and none is named.
    """
    found = [link for one in ([place.for_links] if place else known_places()) if (link := _ask(one, read_only))]
    if not found:
        raise ConfigurationError("no page of yours runs here", NONE)
    if len(found) > 1:
        raise UsageFault(f"several pages of yours run: {', '.join(one.place for one in found)}", "name one: --port or --socket")
    return found[0]


def _ask(path: Path, read_only: bool) -> Link | None:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(SECONDS)
        try:
            asking.connect(str(path))
            asking.sendall(b"read-only\n" if read_only else b"link\n")
            with asking.makefile("rb") as answer:
                link = Link(*json.loads(answer.read(LARGEST)))
        except (OSError, ValueError, TypeError, RecursionError):  # it is no page that answers there
            return None
    return link if all(isinstance(one, str) for one in link) else None
