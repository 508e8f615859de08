"""`stop` is a brake: it stops what can be stopped and names what is left; it waits for nothing and starts nothing.

What is broken does not hold it up: without rules, journal or lock it goes by what runs and its labels, with a warning.
"""

from typing import Literal

from spark_mode.errors import ConfigurationError, Interrupted, SwitchFailed
from spark_mode.journal.records import Outcome
from spark_mode.journal.state import after, still_to_come
from spark_mode.lab.few import agreeing
from spark_mode.planning.container import LEASED, Container
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Plan, Stop
from spark_mode.planning.request import Request, StopRequest
from spark_mode.session.session import Session
from spark_mode.switching.admitted import admitted
from spark_mode.switching.aftermath import comes_late
from spark_mode.switching.agreement import Agreement
from spark_mode.switching.attempt import Attempt
from spark_mode.switching.holding import comes_back, goes_on
from spark_mode.switching.known_again import have_known
from spark_mode.switching.report import Report, SwitchOptions
from spark_mode.switching.switch import Switch

AGAIN = "see what runs, and ask again: spark-mode status"


class Brake:
    """One stop, under the lock where there is one. Two of them, or one beside a switch, only stop what the other stops too."""

    def __init__(self, session: Session, options: SwitchOptions, agreement: Agreement, attempt: Attempt) -> None:
        self._session, self._options, self._agreement, self._attempt = session, options, agreement, attempt

    def run(self, request: StopRequest) -> Report:
        """Stop what was asked for. Raises SwitchFailed with what is left, Unasked, and what any request raises."""
        session = self._session
        session.reload_journal()
        given_up = None if request.names else session.journal_state.unfinished
        if given_up and self._attempt.lock:
            have_known(given_up, session, self._attempt)
        before = session.observe()
        plan = admitted(session, request, before)
        self._agreement.require(plan)
        if given_up:
            self._attempt.gives_up(given_up, str(request))
        report = self._carry_out(request, plan, before)
        if given_up and comes_late(given_up, before, session.observer, session.clock):
            return self.run(request)
        return report

    def _carry_out(self, request: StopRequest, plan: Plan, before: Observed) -> Report:
        session = self._session
        for fault in session.forgiveness.faults:
            self._attempt.watcher.warned(f"{fault}; what runs is stopped all the same, by its labels")
        if not plan.steps:
            return self._unchanged(request, plan, before)
        self._attempt.watcher.planned(plan)
        return self._stop(request, plan, before)

    def _stop(self, request: StopRequest, plan: Plan, before: Observed) -> Report:
        session = self._session
        if session.journal_state.unfinished is None or not request.names:  # else that one is still to be recovered, after this
            self._begin(request, plan, before)
        switch = Switch(session.lab(), self._attempt)
        try:
            failed = switch.brake(plan)
        except Interrupted as error:
            if switch.ended:
                self._end(request, plan, before, "interrupted", error.message)
            raise
        seen = session.observer.observe_running()
        left = _left(plan, seen)
        if left or (failed and any(not isinstance(step, Stop) for step in plan.steps)):
            raise self._failed(request, plan, before, left, failed)
        self._end(request, plan, before, "applied")
        return self._report(plan, "applied", seen)

    def _failed(
        self, request: StopRequest, plan: Plan, before: Observed, left: tuple[Container, ...], failed: tuple[str, ...]
    ) -> SwitchFailed:
        """Write and return what is left, why, and whether others are at it: then no other stop would do better."""
        names = ", ".join(one.name for one in left)
        said = [f"{names} still {agreeing(left, 'runs', 'run')}" if left else "not everything was unloaded", *failed]
        known = {(one.id, one.started_at) for one in before.active}
        again = [one.name for one in left if (one.id, one.started_at) not in known]
        if again:
            said.append(f"{', '.join(again)} {agreeing(again, 'is', 'are')} started again by others")
        self._end(request, plan, before, "failed", "\n".join(said))
        who = " ".join(f"--filter container={name}" for name in again)
        message = "\n".join([*said, "Everything else that was to be stopped is."])
        return SwitchFailed(message, f"see by whom: docker events {who}" if again else AGAIN)

    def _begin(self, request: Request, plan: Plan, before: Observed) -> None:
        try:
            self._attempt.began(request, before, plan.steps, self._options.model_copy(update={"restore_on_failure": False}))
        except ConfigurationError as error:
            self._attempt.watcher.warned(
                f"{error.message.removesuffix('; nothing was touched')}; what runs is stopped all the same"
            )

    def _end(self, request: StopRequest, plan: Plan, before: Observed, outcome: Outcome, note: str | None = None) -> None:
        """Write how it ended; `restore` brings back what ran before it, however it did."""
        session = self._session
        was = comes_back(session, request, plan, before)
        seen = session.observer.observe_running()
        state = after(session.state, plan, was, session.mode(seen), touched=True, seen=seen)
        keeps = goes_on(session, request, plan.steps)
        self._attempt.record(self._attempt.ended(plan.request, outcome, note, state, keeps))

    def _unchanged(self, request: StopRequest, plan: Plan, before: Observed) -> Report:
        """Have what is stopped by name, and does not run, not come back by itself either."""
        session, former = self._session, self._session.state.before
        waits = {*former.services, *former.models} & {*plan.stopped_by_name} if former else set()
        if former is None or not waits or not goes_on(session, request, ()):
            return self._report(plan, "unchanged", before)
        left = session.state.model_copy(update={"before": still_to_come(former, plan)})
        self._attempt.record(self._attempt.ended(plan.request, "unchanged", state=left))
        it_does = "it does" if len(waits) == 1 else "they do"
        return self._report(
            plan.model_copy(update={"nothing_to_do": f"{plan.nothing_to_do}; {it_does} not come back by itself"}),
            "unchanged",
            before,
        )

    def _report(self, plan: Plan, outcome: Literal["applied", "unchanged"], seen: Observed) -> Report:
        if outcome == "unchanged":
            self._attempt.record(self._attempt.ended(plan.request, outcome))
        return Report(
            request=plan.request,
            outcome=outcome,
            mode=self._session.mode(seen),
            seconds=self._attempt.seconds,
            steps=plan.steps,
            note=plan.nothing_to_do,
            warnings=(*plan.warnings, *self._attempt.warnings),
        )


def _left(plan: Plan, seen: Observed) -> tuple[Container, ...]:
    """Return what still runs, or runs again, of what was to be stopped."""
    stops = [step for step in plan.steps if isinstance(step, Stop)]
    services, ids = {step.service for step in stops if step.service}, {id_ for step in stops for id_ in step.containers}
    active = (one for one in seen.active if one.state != LEASED)
    return tuple(one for one in active if one.service in services or one.id in ids)
