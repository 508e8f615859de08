"""The journal of one switch: each step is written down before its effect, and what a container is owed."""

import os
from collections.abc import Callable, Mapping

from spark_mode.errors import StepFailed
from spark_mode.journal.journal import Journal, JournalFailed
from spark_mode.journal.records import Ended, GoingBack, Policy, Record, Signalled, StepBegun, StepEnded
from spark_mode.planning.conflict_policy import Victim
from spark_mode.planning.observed import Container
from spark_mode.planning.plan import Step
from spark_mode.sharing.lock import user_name
from spark_mode.wall_time import now

STARTING = frozenset({"create", "unpause", "start", "start-container", "load"})
"""The actions that are never done unrecorded; stopping goes on without a journal, because it can only make things safer."""


class NotRecorded(StepFailed):
    """A start was not tried, because its intent could not be written down."""


class SwitchLog:
    """Writes one switch down. Once a write has failed nothing more is started; `warn` is told once.

    To `enforced` is added what the rules had stopped at once; its stops are requests of their own in the history.
    """

    def __init__(
        self,
        journal: Journal,
        switch: str,
        policies: Mapping[str, Policy],
        warn: Callable[[str], None] = lambda _: None,
        enforced: list[Victim] | None = None,
    ) -> None:
        self._journal, self._switch, self._warn = journal, switch, warn
        self.enforced = [] if enforced is None else enforced
        self._policies = dict(policies)
        self._broken: str | None = None

    def begin(self, step: Step) -> None:
        """Write the intent of a step. Raises NotRecorded for one that starts something and cannot be written."""
        self._write(StepBegun(switch=self._switch, step=step))
        if self._broken and step.action in STARTING:
            raise NotRecorded(f"{step.action} {step.subject} is not done: the journal cannot be written ({self._broken})")

    def done(self) -> None:
        """Write that the step is done."""
        self._write(StepEnded(switch=self._switch))

    def failed(self, reason: str) -> None:
        """Write that the step failed."""
        self._write(StepEnded(switch=self._switch, failed=reason))

    def going_back(self, reason: str) -> None:
        """Write that from now on what ran before is brought back."""
        self._write(GoingBack(switch=self._switch, reason=reason))

    def signalled(self, at_once: bool) -> None:
        """Write that a signal is answered."""
        self._write(Signalled(switch=self._switch, at_once=at_once))

    def enforce(self, one: Victim, seconds: float, still: str | None) -> None:
        """Write what was stopped at once, and why; what is `still` in a state of its own only once, however often it is tried."""
        is_known = one in self.enforced
        self.enforced.append(one)
        if still and is_known:
            return
        self._write(
            Ended(
                switch=os.urandom(6).hex(),
                at=now(),
                by=user_name(),
                request=f"stop {one.service}",
                outcome="warned" if still else "enforced",
                seconds=round(seconds, 3),
                note=f"{one.cause}; it is still {still}" if still else one.cause,
            )
        )

    def disarmed(self, container: Container) -> bool:
        """Write down a container's restart policy, before it gets `no`; return whether it is on the disk."""
        policy, retries = container.restart_policy, container.restart_retries
        owed = Policy(container=container.id, service=container.service, policy=policy, retries=retries)
        self._policies[container.id] = owed
        self._write(owed)
        return self._broken is None

    def owed(self, container: str) -> Policy | None:
        """Return the restart policy that a container is owed."""
        return self._policies.get(container)

    def given_back(self, owed: Policy) -> None:
        """Write that a container has its own policy again."""
        self._policies.pop(owed.container, None)
        self._write(owed.model_copy(update={"given_back": True}))

    def _write(self, record: Record) -> None:
        if self._broken:
            return
        try:
            self._journal.append(record)
        except JournalFailed as error:
            self._broken = str(error)
            self._warn(f"the journal cannot be written ({error}): what runs is stopped as planned, and nothing more is started")
