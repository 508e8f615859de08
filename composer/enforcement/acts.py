"""What the guard does: it stops what has to go, with its own grace, and writes down why. Each act looks again first."""

import os
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager

from composer.enforcement.bystander import Bystander
from composer.lab.size import gb_text
from composer.planning.mode import mode_services
from composer.planning.observed import Observed
from composer.planning.pressure import first_to_go
from composer.planning.settlement import Loser, losers
from composer.switching.following import any_training
from composer.switching.journal import JournalFailed
from composer.switching.lock import Lock, switch_lock
from composer.switching.records import Ended, Outcome
from composer.switching.report import SwitchOptions
from composer.switching.restart_policies import RestartPolicies
from composer.switching.session import Session
from composer.switching.state import now
from composer.switching.switch_log import SwitchLog
from composer.switching.transaction import Transaction

PATIENCE, PATIENCE_SECONDS = 5, 600.0
"""How often within so many seconds a service is stopped that somebody starts again and again; then it is left, loudly."""


class Acts:
    """The acts of one guard. `say` is told each in a line."""

    def __init__(self, session: Session, say: Callable[[str], None]) -> None:
        self._session, self._say = session, say
        self._stops: dict[str, deque[float]] = {}
        self._warned: set[tuple[str, str]] = set()

    def settle(self) -> None:
        """Stop what the rules keep apart. Raises LockBusy while a switch runs, EngineUnavailable."""
        session = self._session
        with self._locked() as lock:
            session.look_again()
            for one in self.due(session.observe()):
                if not self._is_left_alone(one):
                    lock.doing(f"stop {one.service}")
                    self._stop(one.service, one.containers, one.cause)

    def relieve(self) -> None:
        """Stop the service that goes first when memory runs out. Raises as `settle` does."""
        session = self._session
        with self._locked() as lock:
            session.look_again()
            observed = session.observe()
            left = "-" if observed.memory.available is None else gb_text(observed.memory.available)
            found = first_to_go(observed, session.project, session.rules)
            if found is None:
                self._note("memory", "warned", f"only {left} of memory are left, and nothing of the lab runs", 0.0)
                return
            name, containers = found
            floor = gb_text(session.rules.limits.floor)
            lock.doing(f"stop {name}")
            cause = f"only {left} of memory were left and it went on towards the floor of {floor}; it has the lowest priority"
            self._stop(name, tuple(one.id for one in containers), cause)

    def _locked(self) -> AbstractContextManager[Lock]:
        session = self._session
        return switch_lock(session.directories.locks, "guard", 0.0, Bystander(self._say), session.clock)

    def due(self, observed: Observed) -> tuple[Loser, ...]:
        """Return what breaks a rule now."""
        session = self._session
        kept = mode_services(session.state.mode, session.project, session.rules)
        return losers(observed, session.project, session.rules, kept)

    def restore(self) -> None:
        """Bring back what ran before a training that has ended; only in the main thread, where signals arrive.

        Raises as a switch does.
        """
        options = SwitchOptions(wait_seconds=0.0, only_after=self._session.past.then)
        Transaction(self._session, options, Bystander(self._say), None).switch(self._session.restore_request())

    def is_restore_due(self, observed: Observed) -> bool:
        """Whether training has ended after which somebody wants back what ran before."""
        return self._session.past.restores and not any_training(observed.containers, self._session.rules)

    def _stop(self, service: str, containers: tuple[str, ...], cause: str) -> None:
        session, begun = self._session, self._session.clock.now()
        self._stops.setdefault(service, deque(maxlen=PATIENCE)).append(begun)
        self._say(f"stopping {service}: {cause}")
        policies = RestartPolicies(session.docker, SwitchLog(session.journal, "", session.past.policies, self._say))
        for id_ in containers:
            if (container := session.docker.container(id_)) and container.active:
                policies.disarm(container)
                session.docker.stop(id_, container.stop_seconds)
        there = [one for id_ in containers if (one := session.docker.container(id_)) and one.active]
        note = f"{cause}; it is still {there[0].state}" if there else cause
        self._note(f"stop {service}", "warned" if there else "enforced", note, session.clock.now() - begun)

    def _is_left_alone(self, one: Loser) -> bool:
        """Whether a loser is only warned of, once: nothing to stop, a policy of warning, or a fight that leads nowhere."""
        recent = [at for at in self._stops.get(one.service, ()) if self._session.clock.now() - at < PATIENCE_SECONDS]
        if len(recent) >= PATIENCE:
            why = f"it was stopped {PATIENCE} times within {PATIENCE_SECONDS:g} s and started again; find out who starts it"
        elif not one.containers:
            why = "it is not the lab's to stop"
        elif self._session.rules.guard.on_violation == "warn":
            why = "rules.yaml says to warn only"
        else:
            return False
        if (one.service, why) not in self._warned:
            self._warned.add((one.service, why))
            self._note(f"stop {one.service}", "warned", f"{one.cause}; not done: {why}", 0.0)
        return True

    def _note(self, request: str, outcome: Outcome, note: str, seconds: float) -> None:
        """Write into the history what was done, and why."""
        entry = Ended(
            switch=os.urandom(6).hex(),
            at=now(),
            by="guard",
            request=request,
            outcome=outcome,
            seconds=round(seconds, 3),
            note=note,
        )
        self._say(f"{outcome}: {request}: {note}")
        try:
            self._session.journal.append(entry)
        except JournalFailed as error:
            self._say(f"{error}; this is not in the history")
