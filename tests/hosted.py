"""The stand-in's Ollama inside the test's own process, on a free port of the loopback."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def start(folder: Path, sizes: Mapping[str, int], faults: Mapping[str, str], keep_alive: str = "5m") -> Any:
    """Start one; its `server_port` is where it answers, `loaded()` what it has. Stop it with `shutdown()`."""
    specification = importlib.util.spec_from_file_location("stand_in_models", ROOT / "compose/stand-in/models.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.Ollama(0, sizes, faults, folder, keep_alive, load_seconds=0.05)


def address(server: Any) -> str:
    """Return where it answers."""
    return f"http://127.0.0.1:{server.server_port}"
