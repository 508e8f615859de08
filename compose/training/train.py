"""Learns Tetris until it is told to stop, and goes on from there when it is started again.

At SIGTERM it does what spark-mode expects of every trainer: it ends the step that it is in, writes a checkpoint, and exits
with 0. The checkpoint has all that the next step depends on, random states included: a training that was interrupted twenty
times learns what one that ran through learns.

Set in the environment:
    TRAINING_DEVICE    cuda, to end where there is no GPU; otherwise the GPU where there is one, else the CPU
    TRAINING_BATCH     small, mid or large: how much memory it may take, as rules.yaml plans it (default mid)
    TRAINING_SIZE      GAMESxMOMENTS, what to do within that memory: saturate.py finds it (default: see SIZES)
    TRAINING_STEPS     end after so many steps; 0 is never (default)
    TRAINING_SEED      where the random numbers begin, for a training that begins anew (default 0)
    TRAINING_SECONDS   between two checkpoints, so that a machine that dies costs no more than that (default 600)
    TRAINING_FOLDER    where the checkpoint and the metrics lie (default /checkpoints)
"""

import json
import os
import re
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple

import torch

import checkpoint
from training import REPORT_STEPS, Size, Training

PLANNED_GB = {"small": 8, "mid": 12, "large": 15}  # by rules.yaml, with PROCESS_GB for the process and CUDA's context
PROCESS_GB = 3
SIZES = {
    "cuda": {"small": Size(512, 32_768), "mid": Size(1_024, 65_536), "large": Size(1_536, 98_304)},
    "cpu": {"small": Size(8, 64), "mid": Size(16, 128), "large": Size(24, 192)},  # enough to learn, and quick
}
NUMBER = r"\d{1,18}", "must be a whole number below 10^18"
SETTINGS = {  # the default of each, what it looks like, and how that is said
    "BATCH": ("mid", "|".join(PLANNED_GB), "can be " + ", ".join(PLANNED_GB)),
    "SIZE": ("", r"|[1-9]\d{0,4}x[1-9]\d{0,6}", "must be GAMESxMOMENTS, such as 512x65536"),
    "STEPS": ("0", *NUMBER),
    "SEED": ("0", *NUMBER),
    "SECONDS": ("600", *NUMBER),
}


class Settings(NamedTuple):
    """What the environment says; `planned` is in GB."""

    size: Size
    planned: int
    folder: Path
    steps: int
    seed: int
    seconds: int


def read_settings(environment: Mapping[str, str], cuda: bool) -> Settings:
    """Read the settings for a machine with CUDA or without; ends the program with what is wrong in them."""
    if environment.get("TRAINING_DEVICE") == "cuda" and not cuda:
        sys.exit("There is no GPU that CUDA can use, and TRAINING_DEVICE asks for one; nvidia-smi must work first.")
    said = {name: environment.get(f"TRAINING_{name}") or default for name, (default, _, _) in SETTINGS.items()}
    for name, (_, pattern, can_be) in SETTINGS.items():
        if not re.fullmatch(pattern, said[name], re.ASCII):
            sys.exit(f"TRAINING_{name} is {said[name][:40]!r}; it {can_be}.")
    folder = Path(environment.get("TRAINING_FOLDER") or "/checkpoints")
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        sys.exit(f"{folder} is not a folder that this program may write to.")
    batch, size, *numbers = said.values()
    exact = Size(*map(int, size.split("x"))) if size else SIZES["cuda" if cuda else "cpu"][batch]
    return Settings(exact, PLANNED_GB[batch], folder, *map(int, numbers))


class Metrics:
    """The metrics file: a line of JSON for each report, and none of what a checkpoint does not know of."""

    def __init__(self, path: Path, size: int | None) -> None:
        """Open it at the size that it had when the checkpoint was written: what came after that will come again.

        Without a checkpoint (None) this is another training, and the reports of the one before are put aside.
        """
        if size is None and path.exists():
            aside = (path.with_suffix(f".{number}.jsonl") for number in count(1))
            path.rename(next(other for other in aside if not other.exists()))
        self._file, self._waiting = path.open("ab", buffering=0), b""
        self._file.truncate(min(size or 0, self._file.tell()))

    def add(self, report: Mapping[str, float]) -> None:
        """Append a line; one that the disk has no room for is kept until it has."""
        self._waiting += json.dumps(report).encode() + b"\n"
        try:
            self._write()
        except OSError as error:
            say(f"NO REPORT: {error}")

    def _write(self) -> None:
        while self._waiting:
            self._waiting = self._waiting[self._file.write(self._waiting) :]

    def synced_size(self) -> int:
        """Bring it to the disk, and return how large it is, in bytes."""
        self._write()
        os.fsync(self._file.fileno())
        return os.fstat(self._file.fileno()).st_size  # not tell(), which stays where the file was longer


def train(settings: Settings, device: torch.device, stop: list[str], alive: Path) -> int:
    """Train until `stop` says why to stop, or for the steps asked for, and touch `alive` after each; return the exit code."""
    path = settings.folder / "checkpoint.pt"
    training, saved = Training(settings.size, settings.seed, device), checkpoint.load(path)
    size: int | None = None
    if saved is not None:
        try:
            training.resume(saved["training"])
            size = saved["metrics"]
        except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
            sys.exit(checkpoint.refusal(path, "is no checkpoint of this program", error))
        say(f"resumed from the checkpoint at step {training.step}")
    try:
        metrics = Metrics(settings.folder / "metrics.jsonl", size)
    except OSError as error:
        sys.exit(f"{settings.folder / 'metrics.jsonl'} cannot be used: {error.strerror}")

    def save() -> bool:
        try:
            checkpoint.save({"metrics": metrics.synced_size(), "training": training.state()}, path)
        except OSError as error:
            say(f"NO CHECKPOINT: {error}")
            return False
        say(f"wrote the checkpoint at step {training.step}")
        return True

    saved_at = reported_at = time.monotonic()
    reported_step = training.step
    while not (stop or 0 < settings.steps <= training.step):
        training.do_step()
        with suppress(OSError):  # it only makes the container unhealthy
            alive.touch()
        now = time.monotonic()
        if training.step % REPORT_STEPS == 0:
            report = training.report()
            rate = (training.step - reported_step) / (now - reported_at)
            reported_step, reported_at = training.step, now
            metrics.add({**report, "steps_per_second": round(rate, 2)})
            say("step {step}: {lines_per_game:.2f} lines a game, loss {loss:.4f}".format(**report) + f", {rate:.1f} steps/s")
        if now - saved_at >= settings.seconds:
            save()
            saved_at = time.monotonic()
    say(f"stops at step {training.step}: {stop[0] if stop else 'all steps are done'}")
    return 0 if save() else 1


def pick_device(planned: float) -> torch.device:
    """Return the GPU, with a limit to what this process allocates there, or the CPU; `planned` is in GB."""
    torch.use_deterministic_algorithms(True)
    if not torch.cuda.is_available():
        return torch.device("cpu")
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((planned - PROCESS_GB) * 1e9 / total)
    return torch.device("cuda")


def say(line: str) -> None:
    """Write a line to the log."""
    print(line, flush=True)


def main(stop: list[str], alive: Path) -> int:
    """Train until there is something in `stop`, set up so that the same seed gives the same results; return the exit code."""
    settings = read_settings(os.environ, torch.cuda.is_available())
    checkpoint.lock(settings.folder)
    device = pick_device(settings.planned)
    say(f"trains on the {device.type}, {settings.size.games} games at once, {settings.size.moments} moments a step")
    return train(settings, device, stop, alive)
