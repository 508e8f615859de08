"""The files that a plan is made from, as they were read: so that a change before the lock is held does not go unseen."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from spark_mode.plain_file import read_plain

ABSENT = "absent"


def digests(files: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of each of these files by its path; one that cannot be read is absent."""
    return {str(file): _digest(file) for file in dict.fromkeys(files)}


def _digest(file: Path) -> str:
    try:
        return sha256(read_plain(file)).hexdigest()
    except OSError:
        return ABSENT
