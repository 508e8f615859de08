"""Two sides that a rule keeps apart, seen active together by whoever holds the lock: one goes at once, as the guard has it."""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from spark_mode.engine.doors import HostFailed
from spark_mode.errors import NeedsAttention, StepFailed
from spark_mode.lab.few import agreeing
from spark_mode.planning.conflict_policy import Victim, conflict_victims
from spark_mode.planning.conflicts import exclusive, member
from spark_mode.planning.container import LEASED
from spark_mode.planning.mode import loaded_outside, violations
from spark_mode.planning.observed import LoadedModel, Observed
from spark_mode.session.lab import Lab
from spark_mode.session.session import Session
from spark_mode.session.unloading import unload
from spark_mode.switching.attempt import Attempt
from spark_mode.switching.checkpoint import lost_checkpoint
from spark_mode.switching.restart_policies import RestartPolicies
from spark_mode.switching.untouched import by_cause

LOOK_SECONDS = 0.25
"""How often is looked without a hint, at most."""
LOOK_SHARE = 10
"""Such looks take at most one part in so many of the time; one takes some 10 ms, at hundreds of containers more."""


@dataclass
class TwoSides:
    """Looks again and again, while the lock is held, and stops what the guard's policy says has to go.

    `kept` are the services and models that stay in doubt, `meant` those that the request is to have active, `leaving` those that
    are being stopped anyway: nothing else has to go because of them. What clients have daemons outside Docker load goes also for
    what is `coming`, the services that are about to be started. What is not the lab's to stop is left, and with
    `on_violation: warn` everything is, with a warning. While a stop takes its grace the holder of the lock only waits, so the
    guard may act.
    """

    lab: Lab
    attempt: Attempt
    kept: tuple[str, ...] = ()
    meant: tuple[str, ...] = ()
    leaving: frozenset[str] = frozenset()
    coming: tuple[str, ...] = ()
    _next_look: float = 0.0
    _warned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._docker, self._clock, self._rules = self.lab.doors.docker, self.lab.doors.clock, self.lab.rules
        self._next_look = self._clock.now() + LOOK_SECONDS  # whoever holds the lock has just looked

    def end(self, hint: bool = True) -> tuple[Victim, ...]:
        """Look, without a hint only when it is time, and return what was stopped. Raises EngineUnavailable."""
        now = self._clock.now()
        if not hint and now < self._next_look:
            return ()
        seen = self.lab.observer.observe_running()
        return self.end_in(seen.without(self.leaving, ()), self._clock.now() - now)

    def end_in(self, seen: Observed, seconds: float = 0.0) -> tuple[Victim, ...]:
        """Stop what has to go of what was seen, each with its own grace, and return it. Raises EngineUnavailable.

        The look took so many `seconds`.
        """
        self._next_look = self._clock.now() + max(LOOK_SECONDS, seconds * LOOK_SHARE)
        victims = conflict_victims(seen, self.lab.project, self._rules, self.kept, self.meant)
        found = tuple(one for one in victims if one.can_go)
        if self._rules.guard.on_violation == "warn":
            for one in found:
                if one.service not in self._warned:
                    self._warned.add(one.service)
                    self.attempt.warned(
                        f"{one.service} runs against the rules: {one.cause}; it is not stopped: rules.yaml says to warn only"
                    )
            return ()
        found = (*found, *self._in_the_way(seen, {one.service for one in found}))
        for (how, cause), names in by_cause(found).items():
            self.attempt.warned(f"{', '.join(names)} {agreeing(names, 'is', 'are')} {how} at once: {cause}")
        begun = self._clock.now()
        self.stop(tuple(id_ for one in found for id_ in one.containers))
        loaded = self._unload(tuple(model for one in found for model in one.models))
        for one in found:
            there = (left.state for id_ in one.containers if (left := self._docker.container(id_)) and left.active)
            still = next(there, "loaded" if set(one.models) & set(loaded) else None)
            self.attempt.enforce(one, self._clock.now() - begun, still)
        return found

    def _in_the_way(self, seen: Observed, gone: Collection[str]) -> Iterator[Victim]:
        """Yield what daemons have loaded and what is coming excludes, but for what goes already and what was asked for."""
        for name, models in loaded_outside(seen, self._rules).items():
            if name not in gone and name not in self.kept:
                one, others = member(self._rules, name), (member(self._rules, other) for other in self.coming)
                if hit := next(filter(None, (exclusive(self._rules, one, other) for other in others)), None):
                    cause = f"{hit.other.name} is about to start, and {hit.rule.because}"
                    yield Victim(name, (), hit.rule.name, cause, models)

    def _unload(self, models: tuple[LoadedModel, ...]) -> list[LoadedModel]:
        """Have daemons outside Docker unload what a client had them load; return what stays, which is a warning."""
        left = []
        for one in models:
            try:
                with self._only_waiting(f"unload {one.model}"):
                    unload(self.lab.doors.hosts, self._rules, one)
            except HostFailed as error:
                self.attempt.warned(f"{one.model} could not be unloaded: {error}")
                left.append(one)
        return left

    def _only_waiting(self, what: str) -> AbstractContextManager[None]:
        """While this is so the guard may act."""
        return self.attempt.lock.waiting(what) if self.attempt.lock else nullcontext()

    def stop(self, containers: tuple[str, ...]) -> None:
        """Stop containers together, each with its own grace."""
        active = [one for id_ in containers if (one := self._docker.container(id_)) and one.active]
        if not active:
            return
        policies = RestartPolicies(self._docker, self.attempt)
        policies.disarm(*active)
        names = ", ".join(one.service or one.name for one in active)
        with self._only_waiting(f"stop {names}"):
            self._docker.stop_all({one.id: one.stop_seconds for one in active})
        for one in active:
            workload, now = self._rules.of_service(one.service or ""), self._docker.container(one.id)
            if now and self._rules.runs_to_end(workload) and (lost := lost_checkpoint(now)):
                self.attempt.warned(lost)

    def require_one(self, seen: Observed, started: set[str]) -> None:
        """Raise where two sides are active together that the policy leaves alone, as what is not the lab's to stop.

        StepFailed when this switch `started` one of them: that one is stopped. Else NeedsAttention.
        """
        broken = violations(seen, self._rules)
        if not broken:
            return
        told = f"two sides are active together: {'; '.join(map(str, broken))}"
        mine = started & {side.name for conflict in broken for side in (conflict.one, conflict.other)}
        if not mine or self._rules.guard.on_violation == "warn":
            raise NeedsAttention(told, "stop one: spark-mode stop NAME")
        self.stop(tuple(one.id for one in seen.active if one.service in mine and one.state != LEASED))
        raise StepFailed(f"{told}; what was started of them was stopped again: {', '.join(sorted(mine))}")


def two_sides(session: Session, attempt: Attempt, meant: tuple[str, ...] = ()) -> TwoSides:
    """Return who looks outside of a switch: what is `meant` stays, and in doubt what the last one left, as for the guard."""
    return TwoSides(session.lab(), attempt, session.kept(), meant)


def require_gone(ended: tuple[Victim, ...], seen: Observed) -> None:
    """Raise NeedsAttention when something that was stopped or unloaded because of the other side is still there."""
    active = {one.id for one in seen.active}
    for one in ended:
        if active & set(one.containers):
            told = f"{one.service} was stopped, and does not die or runs again, though {one.cause}"
            raise NeedsAttention(told, f"see why: docker events --filter label=com.docker.compose.service={one.service}")
        if {model.model for model in one.models} & {model.model for host in seen.loaded for model in seen.loaded_on(host)}:
            told = f"{one.service} was to be unloaded, and is still loaded or loaded again, though {one.cause}"
            raise NeedsAttention(told, "end what serves it, or who asks for it; see it: spark-mode status")
