"""The stand-in's Ollama on the machine itself: inside the test's own process on a free port, or as a process of its own.

As a program it takes a port, a folder, and the sizes of its models as JSON.
"""

import importlib.util
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def start(folder: Path, sizes: Mapping[str, int], faults: Mapping[str, str], keep_alive: str = "5m", port: int = 0) -> Any:
    """Start one; its `server_port` is where it answers, `loaded()` what it has. Stop it with `shutdown()`."""
    specification = importlib.util.spec_from_file_location("stand_in_models", ROOT / "compose/stand-in/models.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.Ollama(port, sizes, faults, folder, keep_alive, load_seconds=0.05)


def address(server: Any) -> str:
    """Return where it answers."""
    return f"http://127.0.0.1:{server.server_port}"


if __name__ == "__main__":
    start(Path(sys.argv[2]), json.loads(sys.argv[3]), {}, port=int(sys.argv[1]))
    signal.sigwait({signal.SIGTERM})
