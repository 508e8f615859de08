"""A plan that is admitted, under the lock: carried out and written down; or written down as what there was nothing to do for."""

from collections.abc import Sequence

from spark_mode.errors import Interrupted, SwitchFailed
from spark_mode.journal.state import after, before_of
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Plan
from spark_mode.planning.request import Request
from spark_mode.session.session import Session
from spark_mode.switching.attempt import Attempt
from spark_mode.switching.holding import comes_back, goes_on, keep_in_force, require_known_before, restore_after
from spark_mode.switching.report import Report, SwitchOptions
from spark_mode.switching.switch import Switch
from spark_mode.switching.untouched import with_enforced


class CarryingOut:
    """The end of one attempt, which has `replaced` some of what was to come back."""

    def __init__(self, session: Session, options: SwitchOptions, attempt: Attempt, replaced: Sequence[str]) -> None:
        self._session, self._options, self._attempt, self._replaced = session, options, attempt, tuple(replaced)

    def run(self, request: Request, plan: Plan, before: Observed) -> Report:
        """Do what a plan says that was made of what was observed `before`. Raises as a switch does, once that is written down."""
        return self._carry_out(request, plan, before) if plan.steps else self._unchanged(request, plan, before)

    def _unchanged(self, request: Request, plan: Plan, before: Observed) -> Report:
        session = self._session
        mode = session.mode(before)
        was = before_of(before, session.project, session.rules)
        if self._replaced:
            restore_after(self._attempt, None)
        if self._options.then:
            require_known_before(session, mode)
        keep_in_force(self._attempt, request, plan, before, self._options, session.journal_state.last_change)
        if request.verb == "restore" and session.journal_state.restores:
            restore_after(self._attempt, None)  # it has come back
        admitted = plan.models != session.state.models
        state = after(session.state, plan, was, mode, touched=False, seen=before) if admitted else None
        self._attempt.record(self._attempt.ended(plan.request, "unchanged", state=state))
        note = f"{plan.nothing_to_do}; held from now on" if self._options.hold else plan.nothing_to_do
        return Report(
            request=plan.request,
            outcome="unchanged",
            mode=mode,
            seconds=self._attempt.seconds,
            note=with_enforced(note, self._attempt.enforced),
            warnings=plan.warnings,
            target=plan.target,
        )

    def _carry_out(self, request: Request, plan: Plan, before: Observed) -> Report:
        session = self._session
        self._attempt.drop_gone(before)
        self._attempt.began(request, before, plan.steps, self._options, self._replaced)
        keeps = goes_on(session, request, plan.steps, self._replaced)
        was = comes_back(session, request, plan, before, self._replaced)
        switch = Switch(session.lab(), self._attempt)
        try:
            switch.run(plan, before, self._options.restore_on_failure)
        except (SwitchFailed, Interrupted) as error:
            if switch.ended:
                seen = session.observer.observe_running()
                left = after(session.state, plan, was, session.mode(seen), touched=True, seen=seen)
                state = left if switch.left_stopped else None
                keeps |= request.verb != "restore" and not switch.left_stopped
                self._attempt.record(self._attempt.ended(plan.request, switch.ended, error.message, state, keeps))
            raise
        finally:
            self._attempt.measured(switch.measured)
        running = (switch.seen or session.observer.observe_running()).with_ended(switch.completed.values())
        mode = session.mode(running)
        if request.verb == "run" and not plan.stops:  # what ran before, and is to come back, is what it was
            self._attempt.record(self._attempt.ended(plan.request, "unchanged", note="nothing was stopped for it"))
        else:
            keep_in_force(self._attempt, request, plan, running, self._options, self._attempt.switch)
            state = after(session.state, plan, was, mode, touched=True, seen=running)
            self._attempt.record(self._attempt.ended(plan.request, "applied", self._why(), state, keeps))
        return Report(
            request=plan.request,
            outcome="applied",
            mode=mode,
            seconds=self._attempt.seconds,
            steps=plan.steps,
            note=f"{', '.join(switch.completed)}: completed" if switch.completed else None,
            warnings=(*plan.warnings, *self._attempt.warnings),
            target=plan.target,
            kept=plan.keep or (),
            switch=self._attempt.switch,
        )

    def _why(self) -> str | None:
        """Return what the history says of a switch that is part of another one, or has another one follow."""
        if self._options.then:
            return "and then restore"
        if self._options.why:
            return self._options.why
        return "by itself, as a training or a command has ended" if self._options.only_after else None
