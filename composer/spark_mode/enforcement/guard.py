"""The guard: it sees what others start, and stops what the rules keep apart, or what memory no longer suffices for.

Events only hasten a look: it lists and compares after every gap in their stream, and from time to time. It acts under the
switch's own lock, and leaves the lab alone while a switch makes progress. A journal or a lock that cannot be used does not keep
it from that: it says so, once.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from spark_mode.enforcement.beside import Beside, in_a_thread
from spark_mode.enforcement.guard_actions import GuardActions
from spark_mode.enforcement.host_watch import HostWatch
from spark_mode.enforcement.lasting import Lasting
from spark_mode.enforcement.notify import notify
from spark_mode.enforcement.trust import require_trusted
from spark_mode.engine.doors import Changes
from spark_mode.errors import ConfigurationError, EngineUnavailable, Interrupted, LockBusy, SparkModeError
from spark_mode.journal.understanding import UNDERSTOOD
from spark_mode.planning.foreign_workload import Command
from spark_mode.planning.observed import Observed
from spark_mode.planning.pressure import Sample, shortfall
from spark_mode.session.session import Session
from spark_mode.switching.interruption import Interruption, LeftAtOnce
from spark_mode.switching.net import described, place

SAMPLE_SECONDS = 0.25
"""How often the memory is read."""
LOOK_SECONDS = 30.0
"""How often everything is looked at without a hint."""
AGAIN_SECONDS = 1.0
"""How soon what could not be done, because the engine is away, is tried again."""
JOURNAL_SECONDS = 1.0
"""How long the guard waits for somebody else who writes the journal: what it stops is not to run on meanwhile."""
Did = Literal["nothing", "settled", "relieved", "restored"]
"""What a look had done. What goes for a rule may have been joined by what goes for memory."""


class Guard:
    """Guards one lab until a signal comes. `say` is told what happens, a line each; stops go on `beside` its loop."""

    def __init__(self, session: Session, say: Callable[[str], None], beside: Beside = in_a_thread) -> None:
        self._session, self._say, self._lasting = session, say, Lasting(say)
        self.acts = GuardActions(session, say, beside)
        self._hosts = HostWatch(session, beside)
        self._interruption = Interruption()
        self._samples: deque[Sample] = deque(maxlen=64)
        self._look_at = self._relieve_at = 0.0
        self._is_another_engine = False
        self._commands: tuple[Command, ...] = ()
        self._unexpected: dict[str, str] = {}

    def run(self) -> bool:
        """Guard, and wait for the engine when it is away; return whether another engine answers by now: begin anew then.

        Raises ConfigurationError for a lab that others may change.
        """
        require_trusted(self._session.files)
        with self._interruption.listening(), suppress(LeftAtOnce):
            self._say(f"guarding {', '.join(self._session.project.names)}")  # from here on Ctrl-C ends it in order
            notify("READY=1\nSTATUS=guarding")
            while not self._is_over:
                with self._net(), self._session.docker.changes(*self._session.project.names) as changes:
                    self._follow(changes)
            if self._interruption.requested:
                notify("STOPPING=1")
            while self.acts.is_stopping:  # a stop whose client leaves may become a kill
                notify("WATCHDOG=1")
                self._session.clock.sleep(SAMPLE_SECONDS)
            self._tried(self.acts.follow)
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
                self.acts.warn("guard", what)
            now = self._session.clock.now()
            self._sample(now)
            self._tried(self.acts.follow)
            self._tried(self._see_commands)
            missing = shortfall(self._samples, self._session.rules, self.acts.releases.to_come)
            if now < self._relieve_at:
                missing = 0
            if self._hosts.has_news():
                self._look_at = 0.0
            if missing or now >= self._look_at:
                self._look_at = now + LOOK_SECONDS
                self._relieve_at = now + AGAIN_SECONDS if missing else self._relieve_at
                self._tried(lambda: self.look(missing))

    def _see_commands(self) -> None:
        """Have the end of a plain command hasten a look, as an event does that of a container. Raises ConfigurationError."""
        there = self._session.commands.live()
        if not set(self._commands) <= set(there):
            self._look_at = 0.0
        self._commands = there

    def _sample(self, now: float) -> None:
        """Read the memory, not more often than that a second sample means something: events come in swarms."""
        available = self._session.machine.memory().available
        if available is not None and (not self._samples or now - self._samples[-1].at >= SAMPLE_SECONDS / 2):
            self._samples.append(Sample(now, available))
            self.acts.releases.saw(self._samples[-1])

    def look(self, missing: int) -> Did:
        """Look at everything, and do what is due when so many bytes are missing. Raises as the acts do."""
        session = self._session
        self._read_again()
        session.reload_journal()
        if self.acts.turn.is_left_to_a_switch():
            self._look_at = 0.0  # at the next turn: it ends what breaks a rule itself, and may be held up by then
            return "nothing"
        with session.forgiveness.given():  # of what was read, not of the files: without rules there is nothing to hold
            observed = session.observe()
            self._tell_what_is_broken()
            did = self._stop_what_is_due(observed, missing)
        if did == "nothing" and self.acts.is_restore_due(observed):
            self.acts.restore()
            return "restored"
        return did

    def _tell_what_is_broken(self) -> None:
        self._lasting("act", "")
        faults = "; ".join(self._session.forgiveness.faults)
        self._lasting("broken", faults and f"{faults}; the guard goes by what runs")
        puzzle = self._session.journal_state.puzzle
        self._lasting("puzzle", f"{puzzle}, and what is held is not known; {UNDERSTOOD}" if puzzle else "")

    def _stop_what_is_due(self, observed: Observed, missing: int) -> Did:
        to_come, is_due = self.acts.releases.to_come, bool(self.acts.due(observed))
        if is_due:
            self.acts.settle()
            missing -= self.acts.releases.to_come - to_come  # what goes for a rule frees its memory, too
        if missing > 0 and self.acts.relieve(missing):
            self._samples.clear()  # whether that is enough is judged by new ones alone
        return "settled" if is_due else "relieved" if missing > 0 else "nothing"

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

    def _tried(self, act: Callable[[], object]) -> None:
        """Do something; what cannot be done now is tried again soon, and said once."""
        try:
            act()
        except LockBusy:
            self._look_at = 0.0  # at the next turn: its holder may have gone by then, or be held up
        except Interrupted:
            self._interruption.requested = True  # the signal came while a switch listened, which has gone back
        except SparkModeError as error:
            self._look_at = self._session.clock.now() + AGAIN_SECONDS
            self._lasting("act", f"{error.message}; {error.hint or 'it is tried again'}")

    def _read_again(self) -> None:
        """Take over files that changed; while they cannot be used, what was read before counts."""
        try:
            require_trusted(self._session.files)
            if self._session.read_again(after=math.inf):
                self._say("the Compose files or rules.yaml changed, and are used from now on")
            self._lasting("files", "")
        except (ConfigurationError, EngineUnavailable) as error:
            self._lasting("files", f"{error.message}; what was read before counts")
