"""What was confirmed is done by the command, in a session of its own: it goes on whatever becomes of the page."""

import asyncio
import json
import os
import subprocess
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from tempfile import TemporaryFile
from typing import Any

from spark_mode.errors import SparkModeError
from spark_mode.frozen import Frozen
from spark_mode.page.page_lab import PageLab

SETTLE_SECONDS = 30.0
"""How long a page waits for the command to begin, or to say why it does not."""
POLL_SECONDS, FOLLOW_SECONDS = 0.05, 1.0
BEGUN = ("planned", "recovering", "started", "waiting")
"""Events of a command after which it can be followed as everybody's switch can."""
KEPT = 16
MOST_BYTES = 1 << 20
"""So much of what a command says is read, from its end: it is followed by looking at the lab, not by this."""


class Outcome(Frozen):
    """How a command has ended: its exit code, and its own words where it failed."""

    request: str
    code: int
    message: str = ""


class Act:
    """A command that was begun. Its output goes to files that have no name: nobody has to be there to read them."""

    def __init__(self, lab: PageLab, words: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self._outcome: Outcome | None = None
        self.request = " ".join(one for one in words if not one.startswith("-"))
        with ExitStack() as undone:  # where there is no place for one of them, for none
            self._out, self._error = (undone.enter_context(TemporaryFile()) for _ in range(2))
            self._process = subprocess.Popen(
                [*lab.command, *words],
                stdin=subprocess.DEVNULL,
                stdout=self._out,
                stderr=self._error,
                start_new_session=True,
                env=dict(environment),
            )
            undone.pop_all()

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None while it runs."""
        code = self._process.poll()
        if self._outcome is None and code is not None:
            self._outcome = Outcome(request=self.request, code=code, message="" if code == 0 else self._words())
            self._out.close()
            self._error.close()
        return self._outcome

    @property
    def has_begun(self) -> bool:
        """Whether it has said that it does something by now, or waits for somebody who does."""
        return any(one.get("event") in BEGUN for one in self._events())

    def _events(self) -> list[dict[str, Any]]:
        found = []
        for line in _end_of(self._out.fileno()).splitlines():
            with suppress(ValueError):
                one = json.loads(line)
                found += [one] if isinstance(one, dict) else []
        return found

    def _words(self) -> str:
        """Return what the command says of its failure: its last event, else all that it wrote behind its name."""
        errors = (one["error"] for one in reversed(self._events()) if isinstance(one.get("error"), dict))
        if error := next(errors, None):
            return "\n".join(filter(None, (str(error.get("message", "")), error.get("hint") and f"→ {error['hint']}")))
        text = _end_of(self._error.fileno())
        return text[text.rfind("spark-mode: ") :].removeprefix("spark-mode: ").strip()


class Acts:
    """What was begun by this page. One that has begun is found again by any page: by the lock, and the journal.

    `ended` is called when one has ended that was followed.
    """

    def __init__(self, lab: PageLab, ended: Callable[[], None], environment: Mapping[str, str] = os.environ) -> None:
        self._lab, self._environment, self._ended = lab, environment, ended
        self._following: set[asyncio.Task[None]] = set()
        self._acts: OrderedDict[str, Act] = OrderedDict()

    async def begin(self, words: tuple[str, ...]) -> tuple[str, Outcome | None]:
        """Begin a command, and return its name here, with how it ended where that came before anything was done.

        Raises SparkModeError where there is no place for it, or for what it says.
        """
        name = os.urandom(8).hex()
        try:
            act = self._acts[name] = Act(self._lab, words, self._environment)
        except OSError as error:
            raise SparkModeError(f"the command cannot begin: {error.strerror}") from None
        while len(self._acts) > KEPT:
            self._acts.popitem(last=False)
        until = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < until and act.outcome is None and not act.has_begun:
            await asyncio.sleep(POLL_SECONDS)
        if act.outcome is None:
            self._follow(act)
        return name, act.outcome

    def _follow(self, act: Act) -> None:
        """Take note of the end of a command when it comes: else the kernel keeps what is left of it."""

        async def follow() -> None:
            while act.outcome is None:
                await asyncio.sleep(FOLLOW_SECONDS)
            self._ended()

        task = asyncio.create_task(follow())
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    def outcome(self, name: str) -> Outcome | None:
        """Return how a command of this page has ended; None of one that runs, or is not known here."""
        act = self._acts.get(name)
        return act.outcome if act else None


def _end_of(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    begin = max(0, size - MOST_BYTES)
    return os.pread(descriptor, size - begin, begin).decode(errors="replace")
