"""Everybody who may act on a lab at once, at random: switches that are killed and held up, plain Docker, plain Compose."""

import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from tests.engine.lab import Lab

REQUESTS = (
    ("audio", "omni"),
    ("audio", "xtts"),
    ("audio", "chatterbox"),
    ("training", "--yes"),
    ("training:large", "--yes"),
    ("stop",),
    ("restore",),
    ("recover",),
)
HANDS = ("omni", "whisper", "xtts", "ollama", "training")
END_SECONDS = 100.0


class Everybody:
    """Acts until `seconds` have passed, each of `actors` in a thread of its own; as a context. The seed says what they do."""

    def __init__(self, seconds: float, seed: int, actors: tuple[Callable[[random.Random], None], ...]) -> None:
        self._deadline = time.monotonic() + seconds
        self._failed: list[str] = []
        self._threads = [threading.Thread(target=self._act, args=(one, random.Random(seed + n))) for n, one in enumerate(actors)]

    def __enter__(self) -> "Everybody":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for thread in self._threads:
            thread.join()
        assert self._failed == [], "\n".join(self._failed)

    def _act(self, actor: Callable[[random.Random], None], dice: random.Random) -> None:
        while time.monotonic() < self._deadline and not self._failed:
            try:
                actor(dice)
            except AssertionError as error:
                self._failed.append(str(error))


def switch(lab: Lab, signals: tuple[signal.Signals | None, ...]) -> Callable[[random.Random], None]:
    """Return somebody who switches, and sends his own switch one of these signals at a random instant, or none."""

    def act(dice: random.Random) -> None:
        process = lab.spawn(*dice.choice(REQUESTS), "--wait=5") if dice.random() < 0.7 else lab.spawn("recover")
        number = dice.choice(signals)
        try:
            said, _ = process.communicate(timeout=dice.uniform(0.3, 4))
        except subprocess.TimeoutExpired:
            if number:
                process.send_signal(number)
            if number in (signal.SIGSTOP, signal.SIGTSTP):
                time.sleep(dice.uniform(0.5, 8))
                process.send_signal(signal.SIGCONT)
            said = ended(process)
        early = said.rstrip().endswith("KeyboardInterrupt")  # it came while Python itself started
        assert early or "Traceback" not in said, said

    return act


def by_hand(lab: Lab) -> Callable[[random.Random], None]:
    """Return somebody who uses plain `docker` on the lab's containers."""

    def act(dice: random.Random) -> None:
        time.sleep(dice.uniform(0.2, 3))
        mine = [one["id"] for one in lab.containers() if one["service"] in HANDS]
        if not mine:
            return
        one, verb = dice.choice(mine), dice.choice(("start", "start", "start", "stop", "restart"))
        for _ in range(dice.randint(3, 8) if verb == "restart" else 1):
            subprocess.run(["docker", verb, one], check=False, capture_output=True, timeout=END_SECONDS)

    return act


def by_compose(lab: Lab) -> Callable[[random.Random], None]:
    """Return somebody who uses plain Compose, and meets the gate."""

    def act(dice: random.Random) -> None:
        time.sleep(dice.uniform(0.5, 4))
        lab.plain("--profile", dice.choice(("omni", "xtts", "training")), "up", "-d")

    return act


def ended(process: "subprocess.Popen[str]") -> str:
    """Wait for a switch, and return what it said."""
    try:
        return process.communicate(timeout=END_SECONDS)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
        raise AssertionError(f"{process.args!r} did not end within {END_SECONDS:g} s: {said}") from None


class LockSampler:
    """Notes, as a context, when the main lock in a folder was held, without touching it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._samples: list[tuple[int, bool]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow)

    def __enter__(self) -> "LockSampler":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def share(self, begin: float, end: float) -> float:
        """Return in which part of the samples from `begin` to `end`, in nanoseconds, it was held."""
        found = [held for at, held in self._samples if begin <= at <= end]
        return sum(found) / len(found) if found else 0.0

    def _follow(self) -> None:
        while not self._ended.wait(0.02):
            inodes = {str(path.stat().st_ino) for path in self._folder.glob("switch.lock")}
            rows = [row.split() for row in Path("/proc/locks").read_text().splitlines() if "FLOCK" in row and "WRITE" in row]
            self._samples.append((time.time_ns(), any(row[5].rpartition(":")[2] in inodes for row in rows if len(row) > 5)))
