"""Everybody who may act on a lab at once, at random: switches that are killed and held up, plain Docker, plain Compose."""

import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable

from tests.engine.diary import Diary, Heard
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
MOST_SECONDS = 300.0
"""How much longer is acted, at most, until it is enough: a machine with much else to do takes its time."""


class Everybody:
    """Act for so many seconds and until it is `enough`, each of `actors` in a thread of its own. The seed says what they do."""

    def __init__(
        self, seconds: float, seed: int, actors: tuple[Callable[[random.Random], None], ...], enough: Callable[[], bool]
    ) -> None:
        self._deadline, self._enough = time.monotonic() + seconds, enough
        self._last = self._deadline + MOST_SECONDS
        self._failed: list[str] = []
        self._threads = [threading.Thread(target=self._act, args=(one, random.Random(seed + n))) for n, one in enumerate(actors)]

    def act(self) -> None:
        """Act, to the end of whatever was begun. Fails when one of them does."""
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join()
        assert self._failed == [], "\n".join(self._failed)

    def _act(self, actor: Callable[[random.Random], None], dice: random.Random) -> None:
        while not self._failed and (time.monotonic() < self._deadline or not self._enough()):
            try:
                assert time.monotonic() < self._last, f"nobody acted enough within {MOST_SECONDS:g} s more"
                actor(dice)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                self._failed.append(f"{type(error).__name__}: {error}")


def switch(lab: Lab, diary: Diary, name: str, signals: tuple[signal.Signals | None, ...]) -> Callable[[random.Random], None]:
    """Return somebody who switches, and sends his own switch one of these signals at a random instant, or none."""

    def act(dice: random.Random) -> None:
        request = (*dice.choice(REQUESTS), "--wait=5") if dice.random() < 0.7 else ("recover",)
        number, seconds, held_up = dice.choice(signals), dice.uniform(0.3, 4), dice.uniform(0.5, 8)
        heard = Heard(diary, name, lab.spawn(*request))
        diary.note(name, f"spark-mode {' '.join(request)} (process {heard.process.pid})")
        if not heard.ended(seconds) and number:
            diary.note(name, number.name)
            heard.process.send_signal(number)
            if number in (signal.SIGSTOP, signal.SIGTSTP):
                time.sleep(held_up)
                diary.note(name, "SIGCONT")
                heard.process.send_signal(signal.SIGCONT)
        if not heard.ended(END_SECONDS):
            heard.process.kill()
            raise AssertionError(f"spark-mode {' '.join(request)} did not end within {END_SECONDS:g} s: {heard.said}")
        early = heard.said.rstrip().endswith("KeyboardInterrupt")  # it came while Python itself started
        assert early or "Traceback" not in heard.said, heard.said

    return act


def by_hand(lab: Lab, diary: Diary, name: str) -> Callable[[random.Random], None]:
    """Return somebody who uses plain `docker` on the lab's containers."""

    def act(dice: random.Random) -> None:
        time.sleep(dice.uniform(0.2, 3))
        mine = {one["id"]: one["service"] for one in lab.containers() if one["service"] in HANDS}
        if not mine:
            return
        one, verb = dice.choice(list(mine)), dice.choice(("start", "start", "start", "stop", "restart"))
        for _ in range(dice.randint(3, 8) if verb == "restart" else 1):
            diary.note(name, f"docker {verb} {mine[one]}")
            subprocess.run(["docker", verb, one], check=False, capture_output=True, timeout=END_SECONDS)
            diary.note(name, f"docker {verb} {mine[one]} has ended")

    return act


def by_compose(lab: Lab, diary: Diary, name: str) -> Callable[[random.Random], None]:
    """Return somebody who uses plain Compose, and meets the gate."""

    def act(dice: random.Random) -> None:
        time.sleep(dice.uniform(0.5, 4))
        profile = dice.choice(("omni", "xtts", "training"))
        diary.note(name, f"docker compose up {profile}")
        end = lab.plain("--profile", profile, "up", "-d")
        diary.note(name, f"docker compose up {profile} has ended with {end.code}: {' '.join(end.err.split())[-300:]}")

    return act
