"""Who did what, and when, while everybody acts: what a long interval is explained from."""

import json
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType

from tests.engine.lab import DEADLINE, Lab

ACTIONS = ("start", "restart", "kill", "stop", "die", "destroy", "pause", "unpause")
SAMPLE_SECONDS = 0.02


class Diary:
    """Notes what happened to a lab while it is used as a context: the engine's events, who held the lock and did what."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._lines: list[tuple[int, str, str]] = []
        self._samples: list[tuple[int, bool]] = []
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample)

    def __enter__(self) -> "Diary":
        label = f"label=com.docker.compose.project={self._lab.project}"
        filters = [part for action in ACTIONS for part in ("--filter", f"event={action}")]
        form = '{{.TimeNano}} {{.Action}} {{index .Actor.Attributes "com.docker.compose.service"}}'
        command = ["docker", "events", "--filter", "type=container", "--filter", label, *filters, "--format", form]
        self._events = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._heard = Heard(self, "engine", self._events)
        self._sampler.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._sampler.join()
        self._events.terminate()
        self._heard.ended(DEADLINE)

    def note(self, who: str, what: str) -> None:
        """Note that somebody does something now."""
        self._lines.append((time.time_ns(), who, what))

    def of(self, begin: float = 0.0, end: float = float("inf")) -> str:
        """Return what was noted from `begin` to `end`, in nanoseconds, a line each with its seconds since `begin`."""
        lines = sorted(one for one in self._lines if begin <= one[0] <= end)
        since = begin or (lines[0][0] if lines else 0)
        return "\n".join(f"{(at - since) / 1e9:9.3f}  {who:10}  {what}" for at, who, what in lines)

    def lock_share(self, begin: float, end: float) -> float:
        """Return in which part of the samples from `begin` to `end`, in nanoseconds, a switch held the lock."""
        found = [held for at, held in self._samples if begin <= at <= end]
        return sum(found) / len(found) if found else 0.0

    def _sample(self) -> None:
        """Look again and again who holds the lock, without touching it; and how long this process was kept from looking."""
        last, before = "", time.monotonic()
        while not self._ended.wait(SAMPLE_SECONDS):
            holder = _holder(self._lab.state_folder / "switch.lock")
            self._samples.append((time.time_ns(), bool(holder) and not holder.startswith("guard")))
            if holder != last:
                last = holder
                self.note("lock", holder or "free")
            now = time.monotonic()
            if now - before > 10 * SAMPLE_SECONDS:
                self.note("machine", f"kept this process from looking for {now - before:.2f} s")
            before = now


class Heard:
    """A process of which every line is noted when it comes, until it has ended."""

    def __init__(self, diary: Diary, who: str, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self._diary, self._who = diary, who
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        """What it has said so far."""
        return "".join(self._lines)

    def ended(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        self._reader.join(seconds)
        return not self._reader.is_alive()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as out:
            for line in out:
                self._lines.append(line)
                self._diary.note(self._who, line.rstrip())
        self._diary.note(self._who, f"ended with {self.process.wait()}")


def _holder(path: Path) -> str:
    """Return who holds the main lock and does what, or nothing when nobody does."""
    try:
        inode = str(path.stat().st_ino)
        rows = [row.split() for row in Path("/proc/locks").read_text().splitlines() if "FLOCK" in row and "WRITE" in row]
        if not any(row[5].rpartition(":")[2] == inode for row in rows if len(row) > 5 and row[1] != "->"):
            return ""
        known = json.loads(path.read_text())
    except FileNotFoundError:
        return ""
    except ValueError:
        return "somebody"
    return f"{known['request']} ({known['pid']}): {known['doing']}{', waits' if known.get('waits') else ''}"
