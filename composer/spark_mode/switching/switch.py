"""One plan carried out, or undone: the promise that a failed switch brings back what ran before."""

from signal import SIGTSTP, Signals
from typing import Literal

from spark_mode.errors import EngineUnavailable, Interrupted, NeedsAttention, StepFailed, SwitchFailed
from spark_mode.journal.journal import UnfinishedSwitch
from spark_mode.journal.measurements import Measurement
from spark_mode.planning.observed import Observed
from spark_mode.planning.plan import Plan, Step, Stop
from spark_mode.planning.rollback import Rollback, rollback
from spark_mode.planning.side_by_side import together
from spark_mode.session.lab import Lab
from spark_mode.switching.attempt import Attempt
from spark_mode.switching.executor import Executor
from spark_mode.switching.interruption import Interruption, LeftAtOnce
from spark_mode.switching.memory_watch import NotReleased
from spark_mode.switching.net import Unexpected, net
from spark_mode.switching.untouched import sentence

LOOK = "see what runs: spark-mode status; finish it or bring back what ran before: spark-mode recover"
STAYS = "see what runs: spark-mode status; bring back what ran before: spark-mode restore"


class Switch:
    """Carries a plan out under the lock, or brings back what ran `before` it.

    With `cut_off` it goes on where an earlier attempt at the same switch was cut off. `ended` says how a
    switch that raised an error ended: None means that it is still to be finished or undone, by a recovery. `stuck` says that
    the way back was tried, and failed.
    """

    def __init__(self, lab: Lab, attempt: Attempt, cut_off: UnfinishedSwitch | None = None) -> None:
        self.ended: Literal["rolled-back", "failed", "interrupted"] | None = None
        self.left_stopped = self.stuck = self._going_back = self._braking = False
        self._lab, self._attempt, self._afterwards = lab, attempt, "what ran before comes back"
        self._interruption = Interruption(self._heard, of_job=attempt.session.job is not None)
        self._executor = Executor(lab, attempt, self._interruption)
        self._carried_out: tuple[Step, ...] = ()
        if cut_off:
            self._carried_out = cut_off.steps
            self._executor.started |= cut_off.starts
            self._executor.touched = bool(cut_off.steps)

    @property
    def measured(self) -> tuple[Measurement, ...]:
        """What the starts that settled were seen to take."""
        return self._executor.measured

    @property
    def completed(self) -> dict[str, str]:
        """The containers that the switch started and saw end by themselves as they should, by service."""
        return self._executor.completed

    @property
    def seen(self) -> Observed | None:
        """What was seen at the end, where the plan ends with such a look."""
        return self._executor.seen

    def run(self, plan: Plan, before: Observed, restore: bool) -> None:
        """Carry out a plan that was made from `before`. Whatever is raised meanwhile takes the way back.

        Raises SwitchFailed when it failed and what ran before runs again (or stays stopped, without `restore`),
        Interrupted likewise after a signal, NeedsAttention when the way back failed too, EngineUnavailable when the
        engine stopped answering: then nothing more is started.
        """
        self._carried_out += plan.steps
        self._afterwards = _afterwards(before, restore)
        with self._interruption.listening():
            try:
                self._tried(plan.steps)
            except StepFailed as error:
                self._attempt.failed(str(error))
                if isinstance(error, NotReleased):
                    self._executor.patience = 0.0  # it was waited for already
                raise SwitchFailed(*self._end(before, restore, str(error))) from None
            except Interrupted:
                self._attempt.signalled(at_once=False)
                said = self._end(before, restore, "interrupted")
                self.ended = "interrupted"
                raise Interrupted(*said) from None
            except EngineUnavailable as error:
                raise self._unanswered(error) from None
            except LeftAtOnce:
                self._attempt.signalled(at_once=True)
                raise Interrupted(
                    f"left at once, during: {self._attempt.step_now}", f"nothing was brought back; {LOOK}"
                ) from None

    def back(self, before: Observed, restore: bool, reason: str) -> str:
        """Bring back what ran `before`, and return what to say of it. Raises as `run` does."""
        with self._interruption.listening():
            return self._end(before, restore, reason)[0]

    def brake(self, plan: Plan) -> tuple[str, ...]:
        """Carry out the steps of a stop, each whatever became of the others, and return what could not be done.

        There is no way back: nothing is ever started. Raises Interrupted, and EngineUnavailable when the engine no longer
        answers.
        """
        self._braking, failed = True, list[str]()
        self._interruption.stopping()
        stopped = (step.service for step in plan.steps if isinstance(step, Stop))
        self._executor.sides.leaving = frozenset(filter(None, stopped))  # these are what goes, whatever they exclude
        with self._interruption.listening():
            try:
                number = 1
                for steps in together(plan.steps):
                    failed += self._braked(number, steps)
                    number += len(steps)
            except Interrupted:
                self._attempt.signalled(at_once=False)
                self.ended = "interrupted"
                raise Interrupted("interrupted: what was not stopped yet runs on", "see what runs: spark-mode status") from None
            except LeftAtOnce:
                self._attempt.signalled(at_once=True)
                raise Interrupted(f"left at once, during: {self._attempt.step_now}", LOOK) from None
        return tuple(failed)

    def _braked(self, number: int, steps: tuple[Step, ...]) -> tuple[str, ...]:
        """Carry out one step of a stop, or those that go side by side, and return why it failed, if it did."""
        try:
            self._tried(steps, number)
        except StepFailed as error:
            self._attempt.failed(str(error))
            return (str(error),)
        except EngineUnavailable as error:
            self._attempt.failed(error.message)
            self._lab.observer.observe_running()  # raises when it was not this one container alone
            return (error.message,)
        return ()

    def _tried(self, steps: tuple[Step, ...], first: int = 1) -> None:
        with net(Interrupted, EngineUnavailable, NeedsAttention):
            self._executor.run(steps, first)

    def _heard(self, number: Signals) -> None:
        """Say at once what a signal does, and what is awaited first."""
        awaited = f"{self._attempt.step_now}, {self._executor.awaits}" if self._executor.awaits else self._attempt.step_now
        first = f"waits for this step to end: {awaited}; then"
        at_once = "A second Ctrl-C leaves at once; then: spark-mode recover"
        if number == SIGTSTP:
            said = f"a switch is not held up in the middle (now: {awaited}); Ctrl-C interrupts it"
        elif self._going_back:
            said = f"it goes back already. It {first} the way back goes on. {at_once}"
        elif self._braking:
            said = f"interrupted: {first} what was not stopped yet runs on. {at_once}"
        else:
            at_once = "A second Ctrl-C leaves at once and brings nothing back; then: spark-mode recover"
            said = f"interrupted: {first} {self._afterwards}. {at_once}"
        self._attempt.watcher.signalled(said)

    def _unanswered(self, error: EngineUnavailable) -> EngineUnavailable:
        self._attempt.failed(error.message)
        message = f"{error.message}\nThe switch stopped at: {self._attempt.step_now}"
        return EngineUnavailable(message, f"when the engine answers again, {LOOK}")

    def _end(self, before: Observed, restore: bool, reason: str) -> tuple[str, str | None]:
        """Go back as far as asked; return what to say and what to do next."""
        if not self._executor.touched:
            self.ended = "failed"
            return f"{reason}\n{sentence(self._attempt.enforced)}", None
        if not restore:
            self.ended, self.left_stopped = "failed", True
            return f"{reason}\nWhat was stopped stays stopped, as asked.", STAYS
        self._going_back = True
        self._interruption.going_back()
        self._attempt.going_back(reason)
        try:
            with net(EngineUnavailable, NeedsAttention):
                way = rollback(
                    self._carried_out,
                    self._lab.project,
                    self._lab.rules,
                    before,
                    self._lab.observer.observe_running(all_hosts=True),
                )
                self._attempt.watcher.rolling_back(reason, way.steps)
                self._executor.run(way.steps)
        except (StepFailed, EngineUnavailable, NeedsAttention) as error:
            self.stuck = isinstance(error, StepFailed) and not isinstance(error, Unexpected)
            self._attempt.failed(str(error))
            raise NeedsAttention(f"{reason}\nThe way back failed at: {self._attempt.step_now}\n{error}", LOOK) from None
        except LeftAtOnce:
            self._attempt.signalled(at_once=True)
            raise Interrupted(f"{reason}\nLeft at once, on the way back, during: {self._attempt.step_now}", LOOK) from None
        self.ended = "rolled-back"
        self.left_stopped = bool(way.gone)
        lost = "".join(f"\n{one}" for one in (*way.lost, *way.gone))
        return f"{reason}\n{_restored(way, before)}{lost}", STAYS if way.gone else None


def _afterwards(before: Observed, restore: bool) -> str:
    """Return what comes of an interrupted switch once the step that runs has ended."""
    if not restore:
        return "everything stays as it is, as asked"
    return "what ran before comes back" if before.active else "what was started is stopped again"


def _restored(way: Rollback, before: Observed) -> str:
    back = [step.subject for step in way.steps if step.action in ("start", "start-container")]
    if back:
        return f"What ran before runs again: {', '.join(back)}."
    if way.lost or way.gone:
        return "What ran before does not run again."
    if not before.active:
        return "Nothing of the lab ran before, and nothing that was started does now."
    return "What ran before still runs; nothing new does."
