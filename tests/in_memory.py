"""Folders in memory, for tests in which nothing depends on the disk: what is written there is written thousands of times."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev", "shm")


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """Make a folder and remove it; where the machine lets nobody have one in memory it is one like any other."""
    where = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None
    with tempfile.TemporaryDirectory(prefix="spark-mode-test-", dir=where) as folder:
        yield Path(folder)
