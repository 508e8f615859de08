"""Where a page listens: at a port of both loopback addresses, or at a socket that its owner alone may open."""

import errno
import hashlib
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from spark_mode.errors import ConfigurationError
from spark_mode.sharing.directories import own_directory

PREFIX = "page-"


class Place(NamedTuple):
    """A port, or the path of a socket."""

    port: int
    path: Path | None = None

    @property
    def for_links(self) -> Path:
        """Where a page that listens here is asked for links: by its owner alone, who may enter this folder."""
        name = hashlib.sha256(str(self.path).encode()).hexdigest()[:12] if self.path else str(self.port)
        return own_directory() / f"{PREFIX}{name}.socket"


def known_places() -> list[Path]:
    """Return where this user's pages are asked for links, those that have ended without a word too."""
    return sorted(own_directory().glob(f"{PREFIX}*.socket"))


def listen(place: Place) -> list[socket.socket]:
    """Listen at a place. Raises ConfigurationError where somebody does so already, or it may not be."""
    if place.path:
        _require_own_folder(place.path)
        return [listen_at(place.path)]
    try:
        return _loopback(place.port)
    except OSError as error:
        hint = "spark-mode page link, if it is yours; or take another port: spark-mode page --port PORT"
        raise ConfigurationError(f"port {place.port} of this machine cannot be listened at: {error.strerror}", hint) from None


def listen_at(path: Path, hint: str = "name a short path that you may write: --socket PATH") -> socket.socket:
    """Listen at a socket of mode 0600, in the place of one that nobody listens at any more.

    Raises ConfigurationError, with the `hint` where it is for the path.
    """
    _make_way(path)
    listening = socket.socket(socket.AF_UNIX)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _bind(listening, path)
        listening.listen()
    except OSError as error:
        listening.close()
        raise ConfigurationError(f"{path}: {error.strerror or error}", hint) from None
    return listening


def _require_own_folder(path: Path) -> None:
    """Raise ConfigurationError where another user could put a socket of his own in the place of the page's."""
    with suppress(FileNotFoundError):  # it is made, for its owner alone
        folder = path.parent.stat()
        is_shared = folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX
        if is_shared or folder.st_uid not in (0, os.geteuid()):
            message = f"{path.parent} belongs to others, who could listen there in the page's place"
            raise ConfigurationError(message, "name a path in a folder of your own: --socket PATH")


def _bind(listening: socket.socket, path: Path) -> None:
    """Make the socket's file, which from its first moment on nobody else may open."""
    mask = os.umask(0o177)
    try:
        listening.bind(str(path))
    finally:
        os.umask(mask)


@contextmanager
def removed_at_the_end(path: Path | None) -> Iterator[None]:
    """Take a socket's file away when all is over, and nothing that somebody else has put in its place."""
    made = path.lstat() if path else None
    try:
        yield
    finally:
        if path and made:
            with suppress(OSError):
                if os.path.samestat(path.lstat(), made):
                    path.unlink()


def _make_way(path: Path) -> None:
    if not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(path.lstat().st_mode):  # to which a connection is refused as well
        raise ConfigurationError(f"{path} is not a socket", "move it away, or name another path")
    with closing(socket.socket(socket.AF_UNIX)) as asking:
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:  # a page that was killed has left it
            path.unlink()
            return
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror or error}", "move it away, or name another path") from None
    raise ConfigurationError(f"a page listens at {path} already", "open that one: spark-mode page link")


def _loopback(port: int) -> list[socket.socket]:
    """Listen at both addresses: at the one that was left free somebody else could be `localhost`. Port 0 is one that is free."""
    first = _listening(socket.AF_INET, "127.0.0.1", port)
    try:
        return [first, _listening(socket.AF_INET6, "::1", first.getsockname()[1])]
    except OSError as error:
        if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):  # which a machine without IPv6 says
            first.close()
            raise
        return [first]


def _listening(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((host, port))
        listening.listen()
    except OSError:
        listening.close()
        raise
    return listening
