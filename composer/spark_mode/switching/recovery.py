"""After a crash: wait, shortly, for what the engine was asked, then finish the switch that was cut off, or undo it.

Only the intent is remembered; what is there is observed. A recovery may be cut off as well, and begun again.
"""

from spark_mode.errors import ConfigurationError, Interrupted, NeedsAttention, SwitchFailed, UsageFault
from spark_mode.journal.journal import UnfinishedSwitch
from spark_mode.journal.state import State, after, before_of
from spark_mode.planning.mode import mode_said
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Plan, Stop
from spark_mode.planning.steps import unhealthy, verify
from spark_mode.session.session import Session
from spark_mode.sharing.lock import Lock
from spark_mode.switching.aftermath import HARMLESS, await_quiet, await_stops
from spark_mode.switching.attempt import Attempt
from spark_mode.switching.holding import comes_back, goes_on, keep_in_force, restore_after
from spark_mode.switching.known_again import have_known
from spark_mode.switching.report import Report
from spark_mode.switching.switch import Switch
from spark_mode.switching.two_sides import two_sides
from spark_mode.switching.untouched import untouched
from spark_mode.wall_time import now


class Recovery:
    """Finishes or undoes one switch, under the lock."""

    def __init__(self, session: Session, cut_off: UnfinishedSwitch, attempt: Attempt, lock: Lock) -> None:
        self._session, self._cut_off, self._attempt, self._lock = session, cut_off, attempt, lock

    def run(self, back: bool = False) -> Report:
        """Finish the switch, or bring back what ran before it: where finishing is not safe, and always with `back`.

        Raises as a switch does. After an error the switch mostly stays unfinished in the journal, and can be recovered again.
        It has ended there, though, where what was stopped was to stay stopped, and where the way back failed: a second
        recovery would fail as the first one did, and what ran before is left to `restore`.
        """
        session, cut_off = self._session, self._cut_off
        self._attempt.watcher.recovering(str(cut_off))
        self._attempt.takes_up(cut_off)
        self._await_quiet()
        have_known(cut_off, session, self._attempt)
        if is_untouched(cut_off, session.observer.observe_running()):
            if session.journal_state.restores:  # what was to come back before is still to come
                restore_after(self._attempt, cut_off.began.switch, session.journal_state.owed)
            return self._recovered(untouched(self._attempt.enforced, "had been stopped or started"))
        if not back and self._has_ended():
            return self._recovered("its training has ended since; nothing more is done", self._left(), follow=True)
        plan = None if back else self._finishing()
        if plan is None and cut_off.began.request.verb == "stop" and not back:
            return self._recovered("it is not finished, because that would be refused now; nothing is started", self._left())
        if plan is None:
            await_stops(cut_off, session.observer, session.clock, self._end_two_sides)
        return self._carry_out(plan)

    def _carry_out(self, plan: Plan | None) -> Report:
        """Carry out the plan that finishes the switch; without one go back."""
        cut_off = self._cut_off
        switch = Switch(self._session.lab(), self._attempt, with_planned_stops(cut_off) if plan is None else cut_off)
        try:
            if plan is None:
                reason = f"{cut_off.began.request} was cut off"
                note = switch.back(cut_off.began.before, restore=True, reason=reason)
                if self._session.journal_state.then == cut_off.began.switch:
                    restore_after(self._attempt, None)  # it has come back
                return self._recovered(note, self._left() if switch.left_stopped else None)
            self._attempt.watcher.planned(plan)
            switch.run(plan, cut_off.began.before, cut_off.began.restore)
            return self._recovered("it was finished", self._state_after(plan, switch), plan, follow=True)
        except (SwitchFailed, Interrupted) as error:
            if switch.ended == "rolled-back":
                return self._recovered(error.message, self._left() if switch.left_stopped else None)
            if switch.ended:
                self._attempt.record(self._attempt.ended_for(cut_off, switch.ended, error.message))
            raise
        except NeedsAttention as error:
            if not switch.stuck:
                raise
            self._attempt.record(self._attempt.ended_for(cut_off, "failed", error.message, self._left()))
            message = f"{error.message}\nNow it is {mode_said(self._mode())}, and nothing more is tried."
            raise NeedsAttention(message, "bring back what ran before, when it can run: spark-mode restore") from None
        finally:
            self._attempt.measured(switch.measured)

    def _await_quiet(self) -> None:
        """Wait, shortly, for what the switch had asked the engine for last, and end it when two sides are active together."""
        self._lock.doing("waiting for what the switch that was cut off had asked for")
        await_quiet(self._cut_off, self._session.observer, self._session.clock, self._end_two_sides)
        self._lock.settled()

    def _end_two_sides(self, seen: Observed) -> None:
        self._lock.goes_on()
        two_sides(self._session, self._attempt).end_in(seen)

    def _finishing(self) -> Plan | None:
        """Return the plan that finishes the switch, None where going back is the safe way: a command has nobody any more."""
        if self._cut_off.began.request.verb == "run":
            return None
        try:
            seen = self._session.observe()
            plan = self._session.plan_for(self._cut_off.began.request, seen)
        except (UsageFault, ConfigurationError):
            return None  # the files no longer know what was asked for
        if plan.target and not plan.steps:
            looking = verify(plan.target, frozenset(), self._session.rules, unhealthy(plan.target, seen))
            plan = plan.model_copy(update={"steps": (looking,)})
        return plan if may_finish(self._cut_off, plan) else None

    def _has_ended(self) -> bool:
        """Whether a long run was ready and has completed since: it is not started a second time."""
        seen, rules = self._session.observer.observe_running(), self._session.rules
        long_runs = [name for name in self._cut_off.ready if rules.runs_to_end(rules.of_service(name))]
        there = (seen.container_of(name) for name in long_runs)
        ran = {one.id for one in self._cut_off.began.before.active}
        ended = any(one and one.state == "exited" and one.exit_code == 0 and one.id not in ran for one in there)
        return ended and not seen.active

    def _state_after(self, plan: Plan, switch: Switch) -> State:
        session = self._session
        began = self._cut_off.began
        was = comes_back(session, began.request, plan, began.before, began.replaced)
        seen = session.observer.observe_running().with_ended(switch.completed.values())
        return after(session.state, plan, was, session.mode(seen), touched=True, seen=seen)

    def _mode(self) -> str:
        return self._session.mode(self._session.observer.observe_running())

    def _left(self) -> State:
        """Return the state in which `restore` brings back what ran before the switch."""
        session = self._session
        was = before_of(self._cut_off.began.before, session.project, session.rules)
        of_command = self._cut_off.began.request.verb == "run"
        update = {"mode": self._mode(), "since": now(), "before": was, "of_command": of_command}
        return session.state.model_copy(update=update)

    def _recovered(self, note: str, state: State | None = None, plan: Plan | None = None, follow: bool = False) -> Report:
        """Write the end, and before it what was part of the intent; `follow` says that its training was started."""
        cut_off = self._cut_off
        if plan:
            seen = self._session.observer.observe_running()
            keep_in_force(self._attempt, cut_off.began.request, plan, seen, cut_off.began, cut_off.began.switch)
        elif follow and cut_off.began.then:
            restore_after(self._attempt, cut_off.began.switch)
        if follow and cut_off.began.then:
            note += "; when training has ended, a guard brings back what ran before; without one: spark-mode restore"
        keeps = goes_on(self._session, cut_off.began.request, cut_off.began.steps, cut_off.began.replaced if plan else ())
        self._attempt.record(self._attempt.ended_for(cut_off, "recovered", note, state, keeps))
        self._session.reload_journal()
        return Report(
            request=str(cut_off.began.request),
            outcome="recovered",
            mode=self._mode(),
            seconds=self._attempt.seconds,
            steps=plan.steps if plan else (),
            note=note,
        )


def with_planned_stops(cut_off: UnfinishedSwitch) -> UnfinishedSwitch:
    """Return a switch to a command, to be undone, with all its stops: one goes on where the disk was too full to write it down.

    Any other switch is finished then.
    """
    if cut_off.began.request.verb != "run":
        return cut_off
    planned = (step for step in cut_off.began.steps if isinstance(step, Stop))
    return cut_off.model_copy(update={"steps": (*cut_off.steps, *planned)})


def is_untouched(cut_off: UnfinishedSwitch, seen: Observed) -> bool:
    """Whether a switch was cut off before it stopped, started, loaded or unloaded anything.

    What it would stop must be seen to run, too: a stop goes on where the disk was too full to write it down.
    """
    running = {one.id for one in seen.active}
    to_stop = (id_ for step in cut_off.began.steps if isinstance(step, Stop) for id_ in step.containers)
    return all(step.action in HARMLESS for step in cut_off.steps) and running.issuperset(to_stop)


def may_finish(cut_off: UnfinishedSwitch, plan: Plan) -> bool:
    """Whether a plan, made anew for the same request, finishes a switch: it stops no training that was not agreed to."""
    agreed = {step.service for step in cut_off.began.steps if isinstance(step, Stop)}
    return not cut_off.back and plan.refusal is None and all(one.service in agreed for one in plan.stops_training)
