"""What the guard does: it stops what has to go, with its own grace, and writes down why. Each act looks again first."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from spark_mode.enforcement.beside import Beside, in_a_thread
from spark_mode.enforcement.guard_watcher import GuardWatcher
from spark_mode.enforcement.lasting import Lasting
from spark_mode.enforcement.turn import Turn
from spark_mode.enforcement.unloads import Unloads
from spark_mode.errors import SparkModeError
from spark_mode.journal.journal import JournalFailed
from spark_mode.journal.records import Ended, Outcome
from spark_mode.lab.size import gb_text
from spark_mode.planning.conflict_policy import Victim, conflict_victims
from spark_mode.planning.container import Container
from spark_mode.planning.mode import long_runs
from spark_mode.planning.observed import Observed
from spark_mode.planning.pressure import MemoryVictim, Releases, frees, memory_victims
from spark_mode.session.session import Session
from spark_mode.switching.attempt import Attempt
from spark_mode.switching.checkpoint import lost_checkpoint
from spark_mode.switching.report import SwitchOptions
from spark_mode.switching.restart_policies import RestartPolicies
from spark_mode.switching.transaction import Transaction
from spark_mode.switching.watcher import Watcher
from spark_mode.wall_time import ago

PATIENCE_SECONDS = 600.0
"""Within how long the stops of a service that somebody starts again and again are counted, until it is left, loudly."""
REMIND_SECONDS = 600.0
"""How soon it is written down again that memory runs out and nothing of the lab could go."""


@dataclass
class _Going:
    """A stop that goes on: `since` is monotonic, and `answered` has those of which the engine has said anything."""

    service: str
    containers: tuple[Container, ...]
    cause: str
    since: float
    answered: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return len(self.answered) == len(self.containers)


class GuardActions:
    """The acts of one guard. `say` is told each in a line; stops go on `beside` it, because a grace may be minutes.

    `turn` says whether it may act, `releases` is what was stopped and has not given its memory back.
    """

    def __init__(self, session: Session, say: Callable[[str], None], beside: Beside = in_a_thread) -> None:
        self._session, self._say, self._lasting, self._beside = session, say, Lasting(say), beside
        self.turn = Turn(session, say)
        self.releases = Releases()
        self._unloads = Unloads(session, say, beside)
        self._going: dict[str, _Going] = {}
        self._stops: dict[str, list[float]] = {}
        self._warned: set[tuple[str, str]] = set()
        self._remind_at = 0.0

    def settle(self) -> None:
        """Stop what the rules keep apart. Raises LockBusy while a switch makes progress, EngineUnavailable."""
        session = self._session
        with self.turn.taken() as doing:
            session.reload_journal()
            observed = session.observe()
            for one in self.due(observed):
                if self._is_left_alone(one):
                    continue
                if one.models:
                    doing(f"unload {one.service}")
                    self._unloads.begin(one)
                else:
                    doing(f"stop {one.service}")
                    self._stop(one.service, one.containers, one.cause, frees(one.service, observed, session.rules))

    def relieve(self, missing: int) -> bool:
        """Stop what goes first when so many bytes are missing; return whether anything goes. Raises as `settle` does."""
        session = self._session
        with self.turn.taken() as doing:
            session.reload_journal()
            observed = session.observe()
            left = "-" if observed.memory.available is None else gb_text(observed.memory.available)
            found = memory_victims(observed, session.project, session.rules, missing, self._going)
            for one in found:
                doing(f"stop {one.service}")
                ids = tuple(container.id for container in one.containers)
                self._stop(one.service, ids, _why(one, left, gb_text(session.rules.limits.floor)), one.frees)
        if not found and not self._going:
            self._remind(f"only {left} of memory are left, and nothing of the lab can be stopped for it")
        return bool(found)

    def _remind(self, note: str) -> None:
        """Write down that nothing can be done; each record waits for the disk, so not again and again."""
        if self._session.clock.now() >= self._remind_at:
            self._remind_at = self._session.clock.now() + REMIND_SECONDS
            self.warn("memory", note)

    def due(self, observed: Observed) -> tuple[Victim, ...]:
        """Return what breaks a rule now and is not being stopped."""
        session = self._session
        found = conflict_victims(observed, session.project, session.rules, session.kept())
        return tuple(one for one in found if one.service not in self._going and one.service not in self._unloads)

    def restore(self) -> None:
        """Bring back what ran before a training that has ended; only in the main thread, where signals arrive.

        Raises as a switch does.
        """
        options = SwitchOptions(wait_seconds=0.0, only_after=self._session.journal_state.then)
        Transaction(self._session, options, GuardWatcher(self._say), None).switch(self._session.restore_request())

    def is_restore_due(self, observed: Observed) -> bool:
        """Whether training, or a command, has ended after which somebody wants back what ran before.

        Raises ConfigurationError where what is written of commands cannot be read.
        """
        session = self._session
        if not session.journal_state.restores or long_runs(observed.containers, session.rules):
            return False
        return not session.own_commands

    def _stop(self, service: str, containers: tuple[str, ...], cause: str, expected: int) -> None:
        """Begin a stop that is expected to free so many bytes; `follow` sees to its end."""
        session, begun = self._session, self._session.clock.now()
        self._stops[service] = [*self._recent_stops(service), begun]
        self._say(f"stopping {service}: {cause}")
        there = tuple(one for id_ in containers if (one := session.docker.container(id_)) and one.active)
        RestartPolicies(session.docker, Attempt(session, Watcher())).disarm(*there)
        going = self._going[service] = _Going(service, there, cause, begun)
        self.releases.promise(service, expected)
        for container in there:
            self._beside(service, partial(self._carry_out, going, container))

    def _carry_out(self, going: _Going, container: Container) -> None:
        """Stop one container, at once and not after another's grace: the lock may be somebody else's by then."""
        try:
            self._session.docker.stop(container.id, container.stop_seconds)
        except SparkModeError as error:
            self._say(f"stop {going.service}: {error.message}")
        finally:
            going.answered.append(container.id)

    @property
    def is_stopping(self) -> bool:
        """Whether a stop still goes on."""
        return any(not one.is_over for one in self._going.values())

    def follow(self) -> None:
        """Write down which stops and unloads have ended, and how. Raises EngineUnavailable; then it is to be asked again."""
        session = self._session
        for done in self._unloads.ended():
            self._note(f"unload {done.name}", "warned" if done.left else "enforced", done.note, done.seconds)
        for one in [one for one in self._going.values() if one.is_over]:
            there = [seen for each in one.containers if (seen := session.docker.container(each.id)) and seen.active]
            del self._going[one.service]
            for each in one.containers:
                self._warn_of_checkpoint(one.service, each.id)
            self.releases.ended(one.service, session.clock.now() + session.rules.limits.release_seconds)
            note = f"{one.cause}; it is still {there[0].state}" if there else one.cause
            self._note(f"stop {one.service}", "warned" if there else "enforced", note, session.clock.now() - one.since)

    def _warn_of_checkpoint(self, service: str, container: str) -> None:
        workload, now = self._session.rules.of_service(service), self._session.docker.container(container)
        if now and self._session.rules.runs_to_end(workload) and (lost := lost_checkpoint(now)):
            self._note(f"stop {service}", "warned", lost, 0.0)

    def _is_left_alone(self, one: Victim) -> bool:
        """Whether a victim is only warned of, once: nothing to stop, a policy of warning, or a fight that leads nowhere."""
        patience = self._session.rules.guard.patience
        if not one.models and len(self._recent_stops(one.service)) >= patience:
            why = f"it was stopped {patience} times within {PATIENCE_SECONDS:g} s and started again; find out who starts it"
        elif not one.can_go:
            why = "it is not the lab's to stop"
        elif self._session.rules.guard.on_violation == "warn":
            why = "rules.yaml says to warn only"
        else:
            return False
        if (one.service, why) not in self._warned:
            self._warned.add((one.service, why))
            self.warn(f"stop {one.service}", f"{one.cause}; not done: {why}")
        return True

    def _recent_stops(self, service: str) -> list[float]:
        return [at for at in self._stops.get(service, ()) if self._session.clock.now() - at < PATIENCE_SECONDS]

    def warn(self, request: str, note: str) -> None:
        """Write down what was not done, or went wrong."""
        self._note(request, "warned", note, 0.0)

    def _note(self, request: str, outcome: Outcome, note: str, seconds: float) -> None:
        """Write into the history what was done, and why."""
        entry = Ended(
            switch=os.urandom(6).hex(),
            at=ago(seconds),
            by="guard",
            request=request,
            outcome=outcome,
            seconds=round(seconds, 3),
            note=note,
        )
        self._say(f"{outcome}: {request}: {note}")
        try:
            self._session.journal.append(entry)
            self._lasting("journal", "")
        except JournalFailed as error:
            self._lasting("journal", f"{error}; what the guard does is not in the history, and takes no restart policy away")


def _why(victim: MemoryVictim, left: str, floor: str) -> str:
    pressing = f"only {left} of memory were left and it went on towards the floor of {floor}"
    if victim.because_of:
        return f"it needs {victim.because_of}, which goes: {pressing}"
    return f"{pressing}; it frees {gb_text(victim.frees)}, at priority {victim.priority}"
