"""By which names a page is asked for: what a browser says in Host and Origin, read strictly. Pure."""

import re
from typing import NamedTuple

from spark_mode.errors import UsageFault

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ADDRESS = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?::([0-9]{1,5}))?")


class Address(NamedTuple):
    """A name and, where one is said, a port."""

    name: str
    port: int | None = None

    def __str__(self) -> str:
        return self.name if self.port is None else f"{self.name}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether browsers take it for this very machine, whatever a name server says (RFC 6761, section 6.3)."""
        return self.name in LOOPBACK or self.name.endswith(".localhost")


def address(text: str) -> Address | None:
    """Read what stands in a Host header; None for what no browser writes there."""
    found = _ADDRESS.fullmatch(text.lower())
    if found is None:
        return None
    port = int(found[2]) if found[2] else None
    return None if port is not None and port > 65535 else Address(found[1], port)


def address_of_origin(origin: str) -> Address | None:
    """Read an Origin header; None for `null` and for what no browser writes there. Which scheme it is does not matter:
    a proxy that ends TLS has another one than the page.
    """
    scheme, found, rest = origin.partition("://")
    return address(rest) if found and scheme in ("http", "https") else None


def behind(url: str) -> Address:
    """Read what `--behind` names; browsers leave out the port that https has anyway.

    Raises UsageFault for anything but https://NAME[:PORT].
    """
    scheme, _, rest = url.lower().removesuffix("/").partition("://")
    found = address(rest) if scheme == "https" else None
    if found is None:
        message = f'"{url}" does not name who stands before the page'
        raise UsageFault(message, "name it as browsers do: --behind https://NAME or https://NAME:PORT")
    return found._replace(port=None) if found.port == 443 else found
