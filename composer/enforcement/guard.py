"""The guard: it sees what others start, and stops what the rules keep apart, or what memory no longer suffices for.

Events only hasten a look: it lists and compares after every gap in their stream, and from time to time. It acts under the
switch's own lock, and leaves the lab alone while a switch makes progress.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from composer.enforcement.acts import Acts
from composer.enforcement.beside import Beside, in_a_thread
from composer.enforcement.notify import notify
from composer.enforcement.trust import require_trusted
from composer.engine.doors import Changes
from composer.errors import ConfigurationError, EngineUnavailable, Interrupted, LockBusy, SparkModeError
from composer.planning.pressure import Sample, shortfall
from composer.switching.interruption import Interruption, LeftAtOnce
from composer.switching.lock import is_acting
from composer.switching.net import described, place
from composer.switching.session import Session
from composer.switching.understanding import UNDERSTOOD

SAMPLE_SECONDS = 0.25
"""How often the memory is read."""
LOOK_SECONDS = 30.0
"""How often everything is looked at without a hint."""
AGAIN_SECONDS = 1.0
"""How soon what could not be done, because the engine is away, is tried again."""
JOURNAL_SECONDS = 1.0
"""How long the guard waits for somebody else who writes the journal: what it stops is not to run on meanwhile."""


class Guard:
    """Guards one lab until a signal comes. `say` is told what happens, a line each; stops go on `beside` its loop."""

    def __init__(self, session: Session, say: Callable[[str], None], beside: Beside = in_a_thread) -> None:
        self._session, self._say = session, say
        self._acts = Acts(session, say, beside)
        self._interruption = Interruption()
        self._samples: deque[Sample] = deque(maxlen=64)
        self._look_at = self._relieve_at = 0.0
        self._is_another_engine = False
        self._fault = self._file_fault = ""
        self._puzzle: str | None = None
        self._unexpected: dict[str, str] = {}

    def run(self) -> bool:
        """Guard, and wait for the engine when it is away; return whether another engine answers by now: begin anew then.

        Raises ConfigurationError for a lab that others may change.
        """
        require_trusted(self._session.files)
        with self._interruption.listening(), suppress(LeftAtOnce):
            self._say(f"guarding {self._session.project.name}")  # from here on Ctrl-C ends it in order
            notify("READY=1\nSTATUS=guarding")
            while not self._is_over:
                with self._net(), self._session.docker.changes(self._session.project.name) as changes:
                    self._follow(changes)
            if self._interruption.requested:
                notify("STOPPING=1")
            while self._acts.is_stopping:  # a stop whose client leaves may become a kill
                notify("WATCHDOG=1")
                self._session.clock.sleep(SAMPLE_SECONDS)
            self._tried(self._acts.follow)
        return self._is_another_engine

    @property
    def _is_over(self) -> bool:
        return self._interruption.requested or self._is_another_engine

    def _follow(self, changes: Changes) -> None:
        """Look at once, and then at every hint, until the stream of events ends or a signal comes."""
        self._look_at = 0.0
        self._tried(self._meet)
        while not self._is_over:
            notify("WATCHDOG=1")
            self.turn()
            if changes.ended:
                self._session.clock.sleep(AGAIN_SECONDS)
                return
            if changes.wait(SAMPLE_SECONDS):
                self._look_at = 0.0

    def _meet(self) -> None:
        """See who answers: journal and locks belong to an engine, and one that was away may have been replaced."""
        session = self._session
        self._is_another_engine = session.engine_now().id != session.identity().id
        if self._is_another_engine:
            self._say("another engine answers by now: the guard begins anew")

    def turn(self) -> None:
        """Read the memory and, when it is time, look at everything; what is to be stopped is stopped beside this."""
        with self._net():
            for where in [where for where in self._unexpected if self._unexpected[where]]:
                what, self._unexpected[where] = self._unexpected[where], ""
                self._acts.warn("guard", what)
            now = self._session.clock.now()
            self._sample(now)
            self._tried(self._acts.follow)
            missing = shortfall(self._samples, self._session.rules, self._acts.releases.to_come)
            if now < self._relieve_at:
                missing = 0
            if missing or now >= self._look_at:
                self._look_at = now + LOOK_SECONDS
                self._relieve_at = now + AGAIN_SECONDS if missing else self._relieve_at
                self._tried(lambda: self._look(missing))

    def _sample(self, now: float) -> None:
        """Read the memory, not more often than that a second sample means something: events come in swarms."""
        available = self._session.machine.memory().available
        if available is not None and (not self._samples or now - self._samples[-1].at >= SAMPLE_SECONDS / 2):
            self._samples.append(Sample(now, available))
            self._acts.releases.saw(self._samples[-1])

    def _look(self, missing: int) -> None:
        session = self._session
        self._read_again()
        session.look_again()
        if is_acting(session.directories.locks, session.clock):
            self._look_at = 0.0  # at the next turn: it ends what breaks a rule itself, and may be held up by then
            return
        observed = session.observe()
        self._fault = ""
        if (puzzle := session.past.puzzle) != self._puzzle:
            self._puzzle = puzzle
            self._say(f"{puzzle}, and what is held is not known; {UNDERSTOOD}" if puzzle else "the journal is understood again")
        to_come, is_due = self._acts.releases.to_come, bool(self._acts.due(observed))
        if is_due:
            self._acts.settle()
            missing -= self._acts.releases.to_come - to_come  # what goes for a rule frees its memory, too
        if missing > 0:
            if self._acts.relieve(missing):
                self._samples.clear()  # whether that is enough is judged by new ones alone
        elif not is_due and self._acts.is_restore_due(observed):
            self._acts.restore()

    @contextmanager
    def _net(self) -> Iterator[None]:
        """Keep the guard on whatever is raised: said, written down once for each place, and with a pause before it goes on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a guard that ends for what nobody thought of guards nothing
            if place(error) not in self._unexpected:
                self._unexpected[place(error)] = what = f"{described(error)}; the guard goes on"
                self._say(what)
            self._session.clock.sleep(AGAIN_SECONDS)

    def _tried(self, act: Callable[[], None]) -> None:
        """Do something; what cannot be done now is tried again soon, and said once."""
        try:
            act()
        except LockBusy:
            self._look_at = 0.0  # at the next turn: its holder may have gone by then, or be held up
        except Interrupted:
            self._interruption.requested = True  # the signal came while a switch listened, which has gone back
        except SparkModeError as error:
            self._look_at = self._session.clock.now() + AGAIN_SECONDS
            if error.message != self._fault:
                self._fault = error.message
                self._say(f"{error.message}; {error.hint or 'it is tried again'}")

    def _read_again(self) -> None:
        """Take over files that changed; while they cannot be used, what was read before counts."""
        try:
            require_trusted(self._session.files)
            if self._session.read_again(after=math.inf):
                self._say("the Compose files or rules.yaml changed, and are used from now on")
            self._file_fault = ""
        except (ConfigurationError, EngineUnavailable) as error:
            if error.message != self._file_fault:
                self._file_fault = error.message
                self._say(f"{error.message}; what was read before counts")
