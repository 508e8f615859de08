"""One request from the question to its record: agreed to, locked, recovered, planned again, carried out, journalled."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from spark_mode.errors import ConfigurationError, Interrupted, NeedsAttention, Refused, SparkModeError, StepFailed, SwitchFailed
from spark_mode.journal.journal import UnfinishedSwitch
from spark_mode.journal.understanding import require_understood
from spark_mode.planning.digest import digest_of, what_changed
from spark_mode.planning.job import Job
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Plan
from spark_mode.planning.replacing import meant_by, replaced_by
from spark_mode.planning.request import Request, StopRequest
from spark_mode.session.session import Session
from spark_mode.sharing.leases import POLL_SECONDS
from spark_mode.sharing.lock import Lock, is_switching, switch_lock
from spark_mode.sharing.waiting import Tell
from spark_mode.switching.admitted import admitted
from spark_mode.switching.aftermath import QUIET_SECONDS
from spark_mode.switching.agreement import ROUNDS, Agreement, Unasked, refused_unasked
from spark_mode.switching.attempt import Attempt
from spark_mode.switching.awaited_word import AwaitedWord
from spark_mode.switching.brake import Brake
from spark_mode.switching.carrying_out import CarryingOut
from spark_mode.switching.net import net
from spark_mode.switching.recovery import Recovery
from spark_mode.switching.report import Confirm, Report, SwitchOptions
from spark_mode.switching.switch import LOOK
from spark_mode.switching.two_sides import require_gone, two_sides
from spark_mode.switching.untouched import sentence, with_enforced
from spark_mode.switching.watcher import Watcher


class Transaction:
    """One switch, or one recovery, of a lab. Each raises the error, with its exit code, of whatever prevented it."""

    def __init__(
        self,
        session: Session,
        options: SwitchOptions,
        watcher: Watcher,
        confirm: Confirm | None,
        word: AwaitedWord | None = None,
    ) -> None:
        self._session, self._options, self._watcher, self._word = session, options, watcher, word
        self._attempt = Attempt(session, watcher)
        self._agreement = Agreement(options, confirm, self._attempt.enforced)
        self._replaced: tuple[str, ...] = ()
        self._left_out: tuple[str, ...] = ()

    def switch(self, request: Request) -> Report:
        """Carry a request out."""
        if request.drop_caches and not self._session.machine.may_drop_caches():
            raise Refused("only root may have the page cache given back", "use sudo, or leave --drop-caches out")
        self._session.forgiveness.granted = request.verb == "stop"
        try:
            with self._told():
                require_understood(self._session.journal_state, request)
                if self._has_to_wait(request):
                    self._agreement.ask(admitted(self._session, request, self._session.observe()))
                return self._in_rounds(request)
        except Refused as error:
            self._attempt.refused(str(request), error.message)
            raise

    def _has_to_wait(self, request: Request) -> bool:
        """Whether the lock is held, so that a request is judged, and asked about, before it waits; else at once, under it.

        Not while a switch of this lab runs, or has to be recovered: what there is now will not be.
        """
        if request.verb == "stop" or self._session.journal_state.unfinished:
            return False
        return is_switching(self._session.directories.locks)

    def undo(self, job: Job) -> Report | None:
        """Bring back what ran before a job's switch that was cut off; None where there is no such switch. Raises as `recover`."""
        with self._told(), self._locked(f"release of job {job.id}") as lock:
            self._await_judgements(lock)
            self._session.reload_journal()
            cut_off = self._session.journal_state.unfinished
            if cut_off is None or not job.means(cut_off.began.job):
                return None
            return Recovery(self._session, cut_off, self._attempt, lock).run(back=True)

    def recover(self) -> Report:
        """Finish the switch that was cut off, or bring back what ran before it; do nothing when there is none."""
        with self._told(), self._locked("recover") as lock:
            self._await_judgements(lock)
            self._session.reload_journal()
            puzzle = self._session.journal_state.puzzle
            if cut_off := self._session.journal_state.unfinished:
                report = Recovery(self._session, cut_off, self._attempt, lock).run()
                self._pass_over()
                self._one_side(required=True)
                return self._bring_back(lock) if self._session.owes_restore else report
            if not puzzle and self._session.owes_restore:
                return self._bring_back(lock)
            mode = self._session.mode(self._one_side(required=True))
            note = f"{puzzle}; what runs counts from now on" if puzzle else "no switch was cut off"
            if waits_for := next(iter(self._session.awaited_commands), None):
                note += f"; the command {waits_for}, and what ran before comes back after it: wait for its end, or "
                note += f"{waits_for.how_to_stop}; then: spark-mode recover"
            if puzzle:
                self._pass_over()
                self._attempt.record(self._attempt.ended("recover", "recovered", note))
            return Report(
                request="recover",
                outcome="recovered" if puzzle else "unchanged",
                mode=mode,
                seconds=self._attempt.seconds,
                note=with_enforced(note, self._attempt.enforced),
            )

    def _pass_over(self) -> None:
        """Have what cannot be understood count no more, once what can be was recovered."""
        if count := self._session.journal_state.unreadable:
            self._attempt.pass_over(count)
            self._session.reload_journal()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Have what nobody expected, outside the steps of a switch, end as what it is for the lab."""
        try:
            with net(SparkModeError, Unasked):
                self._attempt.starts()
                yield
        except StepFailed as error:
            if self._attempt.has_begun:
                raise NeedsAttention(f"{error}\nThe switch may not be finished.", LOOK) from error
            raise SwitchFailed(f"{error}\n{sentence(self._attempt.enforced)}") from error
        except KeyboardInterrupt:
            if cut_off := self._session.journal_state.unfinished:
                raise Interrupted(f"interrupted, and still unfinished: {cut_off}", LOOK) from None
            raise

    def _in_rounds(self, request: Request) -> Report:
        """Carry a request out under the lock; let go of it to ask, and then plan again."""
        for _ in range(ROUNDS):
            try:
                return self._stop(request) if request.verb == "stop" else self._switch(request)
            except Unasked as unasked:
                self._agreement.ask(unasked.plan)
        raise Refused("what would be stopped changes faster than it can be asked about", "see who starts it: docker events")

    def _stop(self, request: StopRequest) -> Report:
        """Stop, under the lock where it can be had; a command that a killed switch left behind is not waited for."""
        with ExitStack() as held:
            try:
                held.enter_context(self._locked(str(request), self._watcher.warned))
            except ConfigurationError as error:
                self._watcher.warned(f"{error.message}; this stops what runs, and cannot keep a switch from starting it again")
            return Brake(self._session, self._options, self._agreement, self._attempt).run(request)

    def _switch(self, request: Request) -> Report:
        with self._locked(str(request)) as lock:
            return self._under_lock(request, lock)

    @contextmanager
    def _locked(self, request: str, left_behind: Tell | None = None) -> Iterator[Lock]:
        session, seconds = self._session, self._options.wait_seconds
        tell = self._watcher.waiting
        with switch_lock(session.directories.locks, request, seconds, tell, session.clock, left_behind) as lock:
            self._attempt.lock = lock
            try:
                yield lock
            finally:
                self._attempt.lock = None

    def _await_judgements(self, lock: Lock) -> None:
        """See that whoever was just allowed to start something is seen: from now on nobody is, until this has ended."""
        leases, clock = self._session.leases, self._session.clock
        with leases.judging(clock):
            leases.settle(clock, self._session.docker.containers)
        while passing := leases.passing(clock.now()):
            one = passing[0]
            lock.doing(f"waiting for docker compose, process {one.pid}: it may start {one.service} again", waits=True)
            clock.sleep(POLL_SECONDS)
        lock.doing("looking")

    def _under_lock(self, request: Request, lock: Lock) -> Report:
        session = self._session
        self._await_judgements(lock)
        session.reload_journal()
        if lock.was_killed and not session.journal_state.unfinished:
            session.clock.sleep(QUIET_SECONDS)  # a switch under another name: what it asked the engine for may still come
            lock.settled()
        if session.read_again():
            self._watcher.warned("the Compose files or rules.yaml changed meanwhile, so the plan is made again")
        require_understood(session.journal_state, request)
        if (job := self._options.job) and job in session.ended_jobs:
            raise Refused(f"job {job.id} has ended by now, whatever asks for it here", "queue it again")
        if self._options.expect:
            self._require_as_shown(request)
        if session.journal_state.unfinished and (report := self._recover_first(request, session.journal_state.unfinished, lock)):
            return report
        self._bring_back_first(request, lock)
        request = self._as_of_now(request)
        self._require_last()
        plan, before = self._admit(request)
        if self._word:
            plan, before = self._at_the_word(self._word, request, plan, lock)
        return CarryingOut(session, self._options, self._attempt, self._replaced).run(request, plan, before)

    def _admit(self, request: Request) -> tuple[Plan, Observed]:
        """Return the plan that is agreed to, and what was seen for it. Raises what refuses it."""
        session = self._session
        before = self._one_side(meant_by(request, session.project, session.rules))
        plan = admitted(session, request, before)
        self._agreement.require(plan)
        self._watcher.planned(plan)
        return plan, before

    def _at_the_word(self, word: AwaitedWord, request: Request, plan: Plan, lock: Lock) -> tuple[Plan, Observed]:
        """Return the same plan once the word has come, with what is seen by then. Raises Refused where it is another one."""
        word.require_go(lock, self._watcher.admitted)
        before = self._session.observe()
        again = admitted(self._session, request, before)
        if changed := what_changed(digest_of(plan), again):
            raise Refused(f"the plan is another one by now: {changed}; nothing was touched", "ask again: spark-mode -H NODES …")
        return again, before

    def _require_as_shown(self, request: Request) -> None:
        """See, before anything is done, that the plan which was agreed to by its digest is all that would be. Raises Refused."""
        session = self._session
        if cut_off := session.journal_state.unfinished:
            raise Refused(f"{cut_off}; that is recovered first, and nothing was touched", "recover it: spark-mode recover")
        if request.verb != "restore" and session.owes_restore:
            message = "a command has ended, and what ran before comes back first: nothing was touched"
            raise Refused(message, "have it come back: spark-mode recover")
        self._agreement.require_expected(admitted(session, self._as_of_now(request), session.observe()))

    def _as_of_now(self, request: Request) -> Request:
        """Return a request with what it means by now: to `restore` is what the last switch has ended."""
        if request.verb != "restore":
            return request
        asked = self._session.restore_request().without(self._left_out, self._session.rules)
        return request.model_copy(update=asked.model_dump(include={"names", "extra", "variants", "beside"}))

    def _bring_back_first(self, request: Request, lock: Lock) -> None:
        """Have what ran before a command come back that has ended and nobody saw to it: `restore` does just that by itself.

        What the request would stop at once is not started, and `restore` brings it back later. Where nothing can come back the
        request is judged by what runs.
        """
        session, before = self._session, self._session.state.before
        if request.verb == "restore" or before is None or not session.owes_restore:
            return
        self._replaced = replaced_by(request, before.services, session.project, session.rules)
        if self._replaced:
            names = ", ".join(self._replaced)
            self._watcher.warned(f"{names} ran before a command that has ended; {request} has no place for it: it is not started")
        if self._replaced and {*before.services} == {*self._replaced}:
            return
        try:
            self._bring_back(lock)
        except (ConfigurationError, Refused, SwitchFailed) as error:
            self._watcher.warned(f"{error}\nThe request is judged by what runs now.")
        self._session.reload_journal()

    def _bring_back(self, lock: Lock) -> Report:
        """Have what ran before a command come back, as a request of its own. Raises as a switch does, Refused over a training."""
        self._watcher.recovering("a command has ended, and what ran before comes back")
        options = SwitchOptions(only_after=self._session.journal_state.then)
        other = Transaction(self._session, options, self._watcher, None)
        other._attempt.lock = lock
        other._attempt.starts()
        other._left_out = self._replaced
        try:
            return other._under_lock(self._session.restore_request(), lock)
        except Unasked as unasked:
            raise refused_unasked(unasked.plan) from None

    def _one_side(self, meant: tuple[str, ...] = (), required: bool = False) -> Observed:
        """Return what is there, once what the rules keep apart was ended by the guard's policy: what is `meant` stays.

        Raises NeedsAttention where that is `required` and something that had to go will not die.
        """
        seen = self._session.observe()
        ended = two_sides(self._session, self._attempt, meant).end_in(seen)
        now = self._session.observe() if ended else seen
        if required:
            require_gone(ended, now)
        return now

    def _require_last(self) -> None:
        """Raise Refused when another switch came after the one that this request follows.

        A recovery that came after it may have taken over what is to come back.
        """
        followed, known = self._options.only_after, self._session.journal_state
        if followed and known.last_change not in (followed, known.then):
            raise Refused("another switch came after it, so what ran before does not come back", "see it: spark-mode history")

    def _recover_first(self, request: Request, cut_off: UnfinishedSwitch, lock: Lock) -> Report | None:
        """Finish or undo what was cut off before a request; return a report where that is all that was asked for.

        Where neither is possible the request is judged by what runs: nobody is locked out of a lab.
        """
        try:
            back = request.verb == "restore" and cut_off.began.request.verb != "restore"  # one that was cut off is finished
            report = Recovery(self._session, cut_off, self._attempt, lock).run(back=back)
            if request.verb == "restore":
                return None if self._session.owes_restore else report
        except (NeedsAttention, SwitchFailed) as error:
            if request.verb == "restore":
                raise
            self._watcher.warned(f"{error.message}\nThe request is judged by what runs now.")
            self._session.reload_journal()
            if self._session.journal_state.unfinished:
                self._attempt.gives_up(cut_off, str(request))
        self._session.reload_journal()
        return None
