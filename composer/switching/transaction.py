"""One request from the question to its record: agreed to, locked, recovered, planned again, carried out, journalled."""

from contextlib import AbstractContextManager

from composer.errors import Interrupted, NeedsAttention, Refused, SwitchFailed
from composer.planning.mode import current_mode
from composer.planning.observed import Hold, Observed
from composer.planning.plan import Plan, StoppedTraining
from composer.planning.request import Request
from composer.switching.entry import Entry
from composer.switching.journal import Open
from composer.switching.lock import Lock, switch_lock
from composer.switching.records import Held
from composer.switching.recovery import QUIET_SECONDS, Recovery
from composer.switching.report import Confirm, Report, SwitchOptions, Watcher
from composer.switching.session import Session, refuse
from composer.switching.state import after, before_of, now
from composer.switching.switch import Switch
from composer.switching.switch_log import SwitchLog
from composer.switching.understanding import require_understood


class Transaction:
    """One switch, or one recovery, of a lab. Each raises the error, with its exit code, of whatever prevented it."""

    def __init__(self, session: Session, options: SwitchOptions, watcher: Watcher, confirm: Confirm | None) -> None:
        self._session, self._options, self._watcher, self._confirm = session, options, watcher, confirm
        self._entry = Entry(session, watcher)

    def switch(self, request: Request) -> Report:
        """Carry a request out."""
        if request.drop_caches and not self._session.machine.may_drop_caches():
            raise Refused("only root may have the page cache given back", "use sudo, or leave --drop-caches out")
        try:
            agreed = None
            require_understood(self._session.past, request)
            if self._session.past.open is None:  # else it runs or is recovered first, and what there is now will not be
                agreed = self._agree(self._admitted(request, self._session.observe()))
            with self._locked(str(request)) as lock:
                self._await_judgements()
                return self._switch(request, agreed, lock)
        except Refused as error:
            self._entry.refused(str(request), error.message)
            raise

    def recover(self) -> Report:
        """Finish the switch that was cut off, or bring back what ran before it; do nothing when there is none."""
        with self._locked("recover") as lock:
            self._await_judgements()
            self._session.look_again()
            puzzle = self._session.past.puzzle
            if cut_off := self._session.past.open:
                report = Recovery(self._session, cut_off, self._watcher, self._entry, lock).run()
                self._pass_over()
                return report
            mode = self._mode(self._session.observe())
            note = f"{puzzle}; what runs counts from now on" if puzzle else "no switch was cut off"
            if puzzle:
                self._pass_over()
                self._entry.record(self._entry.ended("recover", "recovered", note))
            return Report(
                switch=self._entry.switch,
                request="recover",
                outcome="recovered" if puzzle else "unchanged",
                mode=mode,
                seconds=self._entry.seconds,
                note=note,
            )

    def _pass_over(self) -> None:
        """Have what cannot be understood count no more, once what can be was recovered."""
        if count := self._session.past.unreadable:
            self._entry.pass_over(count)
            self._session.look_again()

    def _locked(self, request: str) -> AbstractContextManager[Lock]:
        session = self._session
        return switch_lock(session.directories.locks, request, self._options.wait_seconds, self._watcher, session.clock)

    def _await_judgements(self) -> None:
        """See that whoever was just allowed to start something is seen: from now on nobody is, until this has ended."""
        leases, clock = self._session.leases, self._session.clock
        with leases.judging(clock):
            leases.settle(clock, self._session.docker.containers)

    def _switch(self, request: Request, agreed: tuple[StoppedTraining, ...] | None, lock: Lock) -> Report:
        session = self._session
        session.look_again()
        if lock.was_killed and not session.past.open and request.verb != "stop":
            session.clock.sleep(QUIET_SECONDS)  # a switch under another name: what it asked the engine for may still come
            lock.settled()
        if session.read_again():
            self._watcher.warned("the Compose files or rules.yaml changed meanwhile, so the plan is made again")
        require_understood(session.past, request)
        if session.past.open and (report := self._recover_first(request, session.past.open, lock)):
            return report
        if request.verb == "restore":
            request = request.model_copy(update=session.restore_request().model_dump(include={"names", "extra", "variants"}))
        self._require_last()
        before = session.observe()
        plan = self._admitted(request, before)
        if agreed is None:
            agreed = self._agree(plan)
        if unasked := [one for one in plan.stops_training if one.service not in {other.service for other in agreed}]:
            if self._confirm is None and not self._options.yes:
                names = ", ".join(one.name for one in unasked)
                raise Refused(f"{names} started meanwhile and would be stopped", "look at it and ask again")
            self._agree(plan)
        self._watcher.planned(plan)
        return self._carry_out(request, plan, before, lock) if plan.steps else self._unchanged(request, plan, before)

    def _unchanged(self, request: Request, plan: Plan, before: Observed) -> Report:
        session = self._session
        mode = self._mode(before)
        was = before_of(before, session.project, session.rules)
        self._hold(request, plan, before)
        admitted = plan.models != session.state.models
        state = after(session.state, plan, was, mode, touched=False) if admitted else None
        self._entry.record(self._entry.ended(plan.request, "unchanged", state=state))
        return Report(
            switch=self._entry.switch,
            request=plan.request,
            outcome="unchanged",
            mode=mode,
            seconds=self._entry.seconds,
            note=f"{plan.nothing_to_do}; held from now on" if self._options.hold else plan.nothing_to_do,
            warnings=plan.warnings,
        )

    def _carry_out(self, request: Request, plan: Plan, before: Observed, lock: Lock) -> Report:
        session = self._session
        self._entry.drop_gone(before)
        self._entry.began(request, before, plan.steps, self._options.restore_on_failure)
        was = before_of(before, session.project, session.rules)
        log = SwitchLog(session.journal, self._entry.switch, session.past.policies, self._watcher.warned)
        switch = Switch(session.doors(), session.project, session.rules, session.observer, self._watcher, log, lock)
        try:
            switch.run(plan, before, self._options.restore_on_failure)
        except (SwitchFailed, Interrupted) as error:
            if switch.ended:
                seen = self._mode(session.observer.glance())
                state = after(session.state, plan, was, seen, touched=True) if switch.left_stopped else None
                self._entry.record(self._entry.ended(plan.request, switch.ended, note=error.message, state=state))
            raise
        finally:
            self._entry.keep(switch)
        running = session.observer.glance()
        mode = self._mode(running)
        self._hold(request, plan, running)
        self._entry.record(self._entry.ended(plan.request, "applied", state=after(session.state, plan, was, mode, touched=True)))
        return Report(
            switch=self._entry.switch,
            request=plan.request,
            outcome="applied",
            mode=mode,
            seconds=self._entry.seconds,
            steps=plan.steps,
            warnings=(*plan.warnings, *switch.warnings),
        )

    def _admitted(self, request: Request, observed: Observed) -> Plan:
        plan = self._session.explained(self._session.plan_for(request, observed), observed)
        if plan.refusal:
            raise refuse(plan.refusal)
        return plan

    def _agree(self, plan: Plan) -> tuple[StoppedTraining, ...]:
        """Return the training that may be stopped: the one question that is ever asked."""
        if not plan.stops_training or self._options.yes:
            return plan.stops_training
        names = ", ".join(one.name for one in plan.stops_training)
        if self._confirm is None:
            if plan.request.startswith("up "):
                raise Refused(f"{plan.request} would stop {names}, which runs", "add --yes to agree to that")
            return plan.stops_training
        if not self._confirm(plan.stops_training):
            raise Refused(f"{names} goes on; nothing was touched")
        return plan.stops_training

    def _require_last(self) -> None:
        """Raise Refused when another switch came after the one that this request follows."""
        followed = self._options.only_after
        if followed and self._session.past.last_change != followed:
            raise Refused("another switch came after it, so what ran before does not come back", "see it: spark-mode history")

    def _recover_first(self, request: Request, cut_off: Open, lock: Lock) -> Report | None:
        """Finish or undo what was cut off before a request; return a report where that is all that was asked for.

        Where neither is possible the request is judged by what runs: nobody is locked out of a lab.
        """
        recovery = Recovery(self._session, cut_off, self._watcher, self._entry, lock)
        try:
            if request.verb == "stop" and not request.names:
                recovery.await_quiet()
                recovery.give_up(str(request))
            elif request.verb == "restore":
                return recovery.run(back=True)
            else:
                recovery.run()
        except (NeedsAttention, SwitchFailed) as error:
            if request.verb == "restore":
                raise
            self._watcher.warned(f"{error.message}\nThe request is judged by what runs now.")
            recovery.give_up(str(request))
        self._session.look_again()
        return None

    def _mode(self, observed: Observed) -> str:
        return current_mode(observed, self._session.project, self._session.rules)

    def _hold(self, request: Request, plan: Plan, seen: Observed) -> None:
        """Write down what is held: what was and still runs, and with --hold what was just asked for."""
        holds = [one for one in seen.held if one.process is None]
        if self._options.hold:
            containers = tuple(one.id for name in plan.target if (one := seen.container_of(name)) and one.active)
            hold = Hold(
                request=str(request),
                by=self._entry.by,
                since=now(),
                services=plan.target,
                containers=containers,
                models=plan.target_models,
            )
            holds = [one for one in holds if one.services != hold.services] + [hold]
        if self._options.hold or len(holds) != len(self._session.past.holds):
            self._entry.record(Held(holds=tuple(holds)))
