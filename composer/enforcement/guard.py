"""The guard: it sees what others start, and stops what the rules keep apart, or what memory no longer suffices for.

Events only hasten a look: it lists and compares after every gap in their stream, and from time to time. It acts under the
switch's own lock, so that a switch and it never act at once, and leaves the lab alone while a switch runs.
"""

import math
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from composer.enforcement.acts import Acts
from composer.enforcement.notify import notify
from composer.enforcement.trust import require_trusted
from composer.engine.doors import Changes
from composer.errors import ConfigurationError, Interrupted, LockBusy, SparkModeError
from composer.planning.pressure import Sample, is_pressing
from composer.switching.interruption import Interruption, LeftAtOnce
from composer.switching.lock import is_switching
from composer.switching.session import Session

SAMPLE_SECONDS = 0.5
"""How often the memory is read."""
LOOK_SECONDS = 30.0
"""How often everything is looked at without a hint."""
AGAIN_SECONDS = 1.0
"""How soon what could not be done, because a switch runs or the engine is away, is tried again."""
RELIEF_SECONDS = 3.0
"""How long the memory of what was stopped may take to come back before the next one goes."""


class Guard:
    """Guards one lab until a signal comes. `say` is told what happens, a line each."""

    def __init__(self, session: Session, say: Callable[[str], None]) -> None:
        self._session, self._say = session, say
        self._acts = Acts(session, say)
        self._interruption = Interruption()
        self._samples: deque[Sample] = deque(maxlen=64)
        self._work: threading.Thread | None = None
        self._look_at = self._relieve_at = 0.0
        self._fault = ""

    def run(self) -> None:
        """Guard, and wait for the engine when it is away. Raises ConfigurationError for a lab that others may change."""
        require_trusted(self._session.files)
        with self._interruption.listening(), suppress(LeftAtOnce):
            notify("READY=1")
            while not self._interruption.requested:
                with self._session.docker.changes(self._session.project.name) as changes:
                    self._follow(changes)
            notify("STOPPING=1")
            if self._work:
                self._work.join()

    def _follow(self, changes: Changes) -> None:
        """Look at once, and then at every hint, until the stream of events ends or a signal comes."""
        self._look_at = 0.0
        while not self._interruption.requested:
            notify("WATCHDOG=1")
            self._turn()
            if changes.ended:
                self._session.clock.sleep(AGAIN_SECONDS)
                return
            if changes.wait(SAMPLE_SECONDS):
                self._look_at = 0.0

    def _turn(self) -> None:
        """Read the memory and, when it is time, look at everything; what is to be done is done beside this."""
        now, available = self._session.clock.now(), self._session.machine.memory().available
        if available is not None:
            self._samples.append(Sample(now, available))
        if self._work and self._work.is_alive():
            return
        pressing = now >= self._relieve_at and is_pressing(self._samples, self._session.rules)
        if not pressing and now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        self._tried(lambda: self._look(pressing))

    def _look(self, pressing: bool) -> None:
        session = self._session
        self._read_again()
        session.look_again()
        if is_switching(session.directories.locks):
            self._look_at = session.clock.now() + AGAIN_SECONDS
            return
        observed = session.observe()
        self._fault = ""
        if pressing:
            self._begin(self._relieve)
        elif self._acts.due(observed):
            self._begin(self._acts.settle)
        elif self._acts.is_restore_due(observed):
            self._acts.restore()

    def _relieve(self) -> None:
        self._acts.relieve()
        self._samples.clear()
        self._relieve_at = self._session.clock.now() + RELIEF_SECONDS

    def _begin(self, act: Callable[[], None]) -> None:
        """Do something that may take minutes, such as a stop with its grace, while the memory is watched on."""

        def work() -> None:
            self._tried(act)

        self._work = threading.Thread(target=work)
        self._work.start()

    def _tried(self, act: Callable[[], None]) -> None:
        """Do something; what cannot be done now is tried again soon, and said once."""
        try:
            act()
        except LockBusy:
            self._look_at = self._session.clock.now() + AGAIN_SECONDS
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
        except ConfigurationError as error:
            if error.message != self._fault:
                self._fault = error.message
                self._say(f"{error.message}; what was read before counts")
