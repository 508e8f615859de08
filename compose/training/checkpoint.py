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

FORMAT = 2  # of what is in it; the first had games that were no tensors, and no number


def save(content: dict[str, Any], path: Path) -> None:
    """Replace the checkpoint. Raises OSError, for instance when the disk is full; the one before is then still there."""
    new = path.with_suffix(".tmp")
    try:
        with new.open("wb") as file:
            torch.save({"format": FORMAT, **content}, file)
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
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - torch raises whatever its readers do, and none of it may cost the file
        sys.exit(refusal(path, "cannot be read", error))
    match content:
        case {"format": number, "training": dict()} if number == FORMAT:
            return dict(content)
        case {"training": {"games": _}}:
            sys.exit(refusal(path, f"is in format {content.get('format', 1)} of this trainer, which reads format {FORMAT}"))
    sys.exit(refusal(path, "is no checkpoint of this program"))


def refusal(path: Path, why: str, error: Exception | None = None) -> str:
    """Say why a checkpoint is nothing to go on from, and what to do."""
    detail = f": {type(error).__name__} {error}" if error else "."
    return f"{path} {why}, and is left as it is{detail}\nMove it away to begin anew."


def lock(folder: Path) -> None:
    """Keep other trainers out of this folder for as long as this process lives: nothing closes the file before."""
    try:
        held = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        sys.exit(f"{folder / 'lock'} cannot be used: {error.strerror}")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"Another trainer uses {folder}.")
