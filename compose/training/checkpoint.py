"""A checkpoint that is whole at any moment: the new one, or the one before.

It is written beside the old one, brought to the disk, and put in its place by a rename, which is atomic. A process that dies on
the way leaves a temporary file, which the next one writes over; power that fails leaves the one or the other.
"""

import fcntl
import os
import sys
from pathlib import Path
from typing import Any

import torch


def save(content: dict[str, Any], path: Path) -> None:
    """Replace the checkpoint. Raises OSError, for instance when the disk is full; the one before is then still there."""
    new = path.with_suffix(".tmp")
    try:
        with new.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:  # torch reports a failed write of its own as a RuntimeError
        new.unlink(missing_ok=True)
        raise OSError(f"{path} was not written: {error}") from error
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load(path: Path) -> dict[str, Any] | None:
    """Return the checkpoint; None when there is none. Whatever cannot be read ends the program: it never starts over it."""
    if not os.path.lexists(path):
        return None
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - torch raises whatever its readers do, and none of it may cost the file
        sys.exit(f"{path} cannot be read, and is left as it is: {type(error).__name__} {error}\nMove it away to begin anew.")
    return content


def lock(folder: Path) -> int:
    """Keep other trainers out of this folder for as long as this process lives."""
    try:
        held = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        sys.exit(f"{folder / 'lock'} cannot be used: {error.strerror}")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"Another trainer uses {folder}.")
    return held
