"""Which engine is meant, and that it is this machine's own. Light, so that questions to it can start early."""

import json
import os
import re
from hashlib import sha256
from pathlib import Path

from spark_mode.errors import ConfigurationError
from spark_mode.plain_file import read_plain

DEFAULT_SOCKET = "/var/run/docker.sock"
_ELSEWHERE = re.compile(r"(?:ssh|tcp|https?)://((?:[\w.-]+@)?(?:[\w.-]+|\[[\w.:%]+\]))(?::\d+)?(?:/.*)?")


def local_socket() -> str:
    """Return the path of the engine's socket: DOCKER_HOST, the current context, or the usual place.

    Raises ConfigurationError for an engine on another host: memory is measured on this one.
    """
    host = os.environ.get("DOCKER_HOST") or _context_host() or f"unix://{DEFAULT_SOCKET}"
    if host.startswith("unix://"):
        return host.removeprefix("unix://")
    if elsewhere := _ELSEWHERE.fullmatch(host):
        raise ConfigurationError(
            f"the Docker engine is on another host ({host}), and spark-mode measures the memory of this one",
            f"run it there: ssh {elsewhere[1]} spark-mode …",
        )
    raise ConfigurationError(f"{host} names no engine that can be asked here", f"DOCKER_HOST=unix://{DEFAULT_SOCKET}")


def _context_host() -> str | None:
    """Return the host of Docker's current context, or None for its default one."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        name = os.environ.get("DOCKER_CONTEXT") or json.loads(read_plain(folder / "config.json")).get("currentContext")
        if not name or name == "default":
            return None
        meta = json.loads(read_plain(folder / "contexts" / "meta" / sha256(name.encode()).hexdigest() / "meta.json"))
        return str(meta["Endpoints"]["docker"]["Host"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):  # no configuration that names one
        return None
