"""Learns Tetris until it is told to stop, and goes on from there when it is started again.

At SIGTERM it does what spark-mode expects of every trainer: it ends the step that it is in, writes a checkpoint, and exits
with 0. The checkpoint has all that the next step depends on, random states included: a training that was interrupted twenty
times learns what one that ran through learns.

Set in the environment:
    TRAINING_DEVICE    cuda, to end where there is no GPU; otherwise the GPU where there is one, else the CPU
    TRAINING_BATCH     small, mid or large: how much memory it takes, as rules.yaml plans it (default mid)
    TRAINING_STEPS     end after so many steps; 0 is never (default)
    TRAINING_SEED      where the random numbers begin, for a training that begins anew (default 0)
    TRAINING_SECONDS   between two checkpoints, so that a machine that dies costs no more than that (default 600)
    TRAINING_FOLDER    where the checkpoint and the metrics lie (default /checkpoints)
"""

import json
import os
import sys
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch

import checkpoint
from agent import GAMMA, SYNC_STEPS, Agent, Replay, reward
from tetris import EMPTY, Game, Placement

REPLAY = 1_000_000
FIRST_LESSON = 1_000  # moments in the replay buffer before anything is learned from it
EXPLORE_STEPS = 1_000  # over which random play gives way to what was learned
LEAST_EXPLORATION = 0.01
REPORT_STEPS = 100
RECENT_GAMES = 100


class Size(NamedTuple):
    """How many games are played at once, from how many moments each step learns, and the GB that rules.yaml plans.

    A moment is a board and what followed on it, drawn from the replay buffer. One takes 25.6 kB in the first layer (32 channels x
    200 cells x 4 bytes), and that three times: what it gives, and the gradients after and before its ReLU. The process with
    CUDA's context is reckoned with 3 GB, the replay buffer takes 0.1 GB.
    """

    games: int
    batch: int
    planned: float


SIZES = {
    "small": Size(games=256, batch=32_768, planned=8),  # 2.5 + 3.1 = 5.6 GB; the rest is for cuDNN's work space
    "mid": Size(games=512, batch=65_536, planned=12),  # 5.0 + 3.1 = 8.1 GB
    "large": Size(games=768, batch=98_304, planned=15),  # 7.5 + 3.1 = 10.6 GB
}
PROCESS_GB = 3
ON_A_CPU = {  # enough to learn, and quick
    "small": {"games": 2, "batch": 64},
    "mid": {"games": 4, "batch": 128},
    "large": {"games": 6, "batch": 192},
}


class Settings(NamedTuple):
    """What the environment says."""

    size: Size
    steps: int
    seed: int
    seconds: int
    folder: Path


def read_settings(environment: Mapping[str, str], cuda: bool) -> Settings:
    """Read the settings for a machine with CUDA or without; ends the program with what is wrong in them."""
    if environment.get("TRAINING_DEVICE") == "cuda" and not cuda:
        sys.exit("There is no GPU that CUDA can use, and TRAINING_DEVICE asks for one; nvidia-smi must work first.")
    name = environment.get("TRAINING_BATCH") or "mid"
    if name not in SIZES:
        sys.exit(f"TRAINING_BATCH is {name!r}; it can be {', '.join(SIZES)}.")
    size, folder = SIZES[name], Path(environment.get("TRAINING_FOLDER") or "/checkpoints")
    if not cuda:
        size = size._replace(**ON_A_CPU[name])
    steps, seed, seconds = (_whole(environment, f"TRAINING_{what}") for what in ("STEPS", "SEED", "SECONDS"))
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        sys.exit(f"{folder} is not a folder that this program may write to.")
    return Settings(size, steps, seed, seconds or 600, folder)


def _whole(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name) or "0"
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        sys.exit(f"{name} is {text[:40]!r}; it must be a whole number below 10^18.")
    return int(text)


class Training:
    """Everything that the next step depends on, and the step."""

    def __init__(self, size: Size, seed: int, device: torch.device) -> None:
        torch.manual_seed(seed)
        self.size, self.random, self.step = size, Random(seed), 0
        self.agent, self.replay = Agent(device), Replay(REPLAY)
        self.games = [Game(self.random) for _ in range(size.games)]
        self.finished = 0
        self.recent: deque[tuple[int, int]] = deque(maxlen=RECENT_GAMES)  # lines and pieces of each
        self.loss = 0.0  # since the last report

    @property
    def exploration(self) -> float:
        """How often a piece is put somewhere at random, so that the unexpected is seen."""
        return max(LEAST_EXPLORATION, 1 - self.step / EXPLORE_STEPS)

    def do_step(self) -> None:
        """Put one piece in every game, and learn from a batch of what was seen so far."""
        choices = [game.placements() for game in self.games]
        values = iter(self.agent.values([one.board for placements in choices for one in placements]))
        for game, placements in zip(self.games, choices, strict=True):
            worth = [reward(one.lines) + GAMMA * next(values) for one in placements]
            self._play(game, placements, worth)
        if len(self.replay) >= FIRST_LESSON:
            self.loss += self.agent.learn(self.replay.sample(self.size.batch))
        self.step += 1
        if self.step % SYNC_STEPS == 0:
            self.agent.sync()

    def _play(self, game: Game, placements: list[Placement], worth: list[float]) -> None:
        if not placements:
            self.replay.add(game.board, 0.0, EMPTY, over=True)
            self.finished += 1
            self.recent.append((game.lines, game.pieces))
            game.restart()
            return
        best = max(range(len(worth)), key=worth.__getitem__)
        chosen = placements[self.random.randrange(len(worth)) if self.random.random() < self.exploration else best]
        self.replay.add(game.board, reward(chosen.lines), chosen.board, over=False)
        game.put(chosen)

    def report(self) -> dict[str, float]:
        """Return how it goes, and begin the next window. The same seed gives the same report."""
        games = max(1, len(self.recent))
        loss, self.loss = self.loss / REPORT_STEPS, 0.0
        return {
            "step": self.step,
            "games": self.finished,
            "lines_per_game": sum(lines for lines, _ in self.recent) / games,
            "pieces_per_game": sum(pieces for _, pieces in self.recent) / games,
            "loss": loss,
        }

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on as if nothing had happened."""
        return {
            "step": self.step,
            "agent": self.agent.state(),
            "replay": self.replay.state(),
            "games": [game.state() for game in self.games],
            "finished": self.finished,
            "recent": list(self.recent),
            "loss": self.loss,
            "random": self.random.getstate(),
            "torch_random": torch.get_rng_state(),  # of the CPU: nothing random is drawn on a GPU
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken. With another size it plays more games, or fewer, from here on."""
        self.step, self.finished, self.loss = state["step"], state["finished"], state["loss"]
        self.agent.resume(state["agent"])
        self.replay.resume(state["replay"])
        for game, saved in zip(self.games, state["games"], strict=False):
            game.resume(saved)
        self.recent.extend(state["recent"])
        self.random.setstate(state["random"])
        torch.set_rng_state(state["torch_random"])


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
    """Train until `stop` says why to stop, or for the steps that were asked for; return the exit code.

    `alive` is touched after each step.
    """
    path = settings.folder / "checkpoint.pt"
    training, saved = Training(settings.size, settings.seed, device), checkpoint.load(path)
    size: int | None = None
    if saved is not None:
        try:
            training.resume(saved["training"])
            size = saved["metrics"]
        except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
            sys.exit(f"{path} is no checkpoint of this program, and is left as it is: {error}\nMove it away to begin anew.")
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
            rate = (training.step - reported_step) / (now - reported_at)
            reported_step, reported_at = training.step, now
            report = training.report()
            metrics.add({**report, "steps_per_second": round(rate, 2)})
            say("step {step}: {lines_per_game:.2f} lines a game, loss {loss:.4f}".format(**report) + f", {rate:.1f} steps/s")
        if now - saved_at >= settings.seconds:
            save()
            saved_at = time.monotonic()
    say(f"stops at step {training.step}: {stop[0] if stop else 'all steps are done'}")
    return 0 if save() else 1


def gpu(planned: float) -> torch.device:
    """Return the GPU, with a limit to what this process allocates there; `planned` is in GB."""
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((planned - PROCESS_GB) * 1e9 / total)
    return torch.device("cuda")


def say(line: str) -> None:
    """Write a line to the log."""
    print(line, flush=True)


def main(stop: list[str], alive: Path) -> int:
    """Train until there is something in `stop`, set up so that the same seed gives the same results; return the exit code."""
    cuda = torch.cuda.is_available()
    settings = read_settings(os.environ, cuda)
    lock = checkpoint.lock(settings.folder)
    torch.use_deterministic_algorithms(True)
    device = gpu(settings.size.planned) if cuda else torch.device("cpu")
    say(f"trains on the {device.type}, {settings.size.games} games at once, {settings.size.batch} moments a step")
    code = train(settings, device, stop, alive)
    os.close(lock)
    return code
