"""The files that a plan is made from, as they were read: so that a change before the lock is held does not go unseen."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

ABSENT = "absent"


def digests(files: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of each of these files by its path; one that cannot be read is absent."""
    return {str(file): _digest(file) for file in dict.fromkeys(files)}


def _digest(file: Path) -> str:
    try:
        return sha256(file.read_bytes()).hexdigest() if file.is_file() else ABSENT
    except OSError:
        return ABSENT
