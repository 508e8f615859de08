"""A client of the page that says exactly what a test has it say, and a browser never would."""

import socket
from contextlib import closing

SECONDS = 60.0


class Answer:
    """What came back: the status, headers by their names in small letters, and the rest."""

    def __init__(self, text: str) -> None:
        head, _, self.body = text.partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def connected(place: str, host: str = "127.0.0.1") -> socket.socket:
    """Connect to where a page listens: a port, or a socket's path."""
    if "/" not in place:
        return socket.create_connection((host, int(place)), SECONDS)
    asking = socket.socket(socket.AF_UNIX)
    asking.settimeout(SECONDS)
    asking.connect(place)
    return asking


def sends(place: str, text: str, host: str = "127.0.0.1") -> Answer:
    """Send what may be no HTTP at all, and read until the page has no more to say."""
    with closing(connected(place, host)) as asking:
        asking.sendall(text.encode("latin-1"))
        return Answer(asking.makefile("rb").read().decode("latin-1"))


def request(path: str = "/", method: str = "GET", body: str = "", **headers: str) -> str:
    """Return a request after which the connection ends; `_` in the name of a header stands for `-`."""
    sent = {"Host": "localhost:1", "Connection": "close"} | {name.replace("_", "-"): value for name, value in headers.items()}
    sent |= {"Content-Length": str(len(body))} if body else {}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    return "\r\n".join([*lines, "", body])
