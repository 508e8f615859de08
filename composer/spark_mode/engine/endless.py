"""Files of variables and labels that Compose would read for ever, such as a pipe that nobody writes to."""

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def endless_files(outlined: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with such a file, by service, of those that are outlined."""
    found = {}
    for name, service in outlined.items():
        for key in ("env_file", "label_file"):
            for one in (service or {}).get(key) or ():
                path = one["path"] if isinstance(one, dict) else one
                if _is_endless(Path(path)):
                    found[name] = f"services.{name}.{key}: {path} is a pipe and no file"
    return found


def _is_endless(path: Path) -> bool:
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except (OSError, ValueError):
        return False
