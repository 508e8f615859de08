"""`run`: a switch to a plain command, which then has the terminal, and what comes back after it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import NamedTuple

from spark_mode.engine.adopting import adopting
from spark_mode.engine.child_command import ChildCommand
from spark_mode.engine.doors import PlainCommand
from spark_mode.errors import Interrupted, NeedsAttention, Refused, SparkModeError
from spark_mode.planning.foreign_workload import Command
from spark_mode.planning.request import RunRequest
from spark_mode.session.session import Session
from spark_mode.switching.attempt import Attempt
from spark_mode.switching.interruption import Interruption, LeftAtOnce
from spark_mode.switching.report import Confirm, Report, SwitchOptions
from spark_mode.switching.transaction import Transaction
from spark_mode.switching.watcher import Watcher
from spark_mode.wall_time import ago

POLL_SECONDS, SLOW_POLL_SECONDS = 0.1, 1.0
"""How often is looked whether all of a command has ended: at first, and when something of it goes on."""
LATER = "the next switch, or a guard, brings back what ran before; now: spark-mode recover"
Follow = Callable[[], AbstractContextManager[Watcher]]
"""Gives who follows a switch; it has left the terminal while the command has it."""


class Ran(NamedTuple):
    """The exit code of a command, and the report of what came back after it, or the error of why that did not.

    `stopped` is what was stopped for it, and was not to come back.
    """

    code: int
    back: Report | None = None
    fault: SparkModeError | None = None
    stopped: tuple[str, ...] = ()


def child(words: Sequence[str], folder: str | None = None) -> PlainCommand:
    """Return a command of the user in a folder, else where we are, of which there is nothing yet."""
    return ChildCommand(words, folder)


def run_in_foreground(
    session: Session,
    request: RunRequest,
    command: PlainCommand,
    options: SwitchOptions,
    follow: Follow,
    confirm: Confirm | None = None,
) -> Ran:
    """Make room for a command, run it to its end, and with `then` bring back what ran before.

    Raises as a switch does, before the command runs; NeedsAttention where the journal cannot say what comes back after it.
    """
    session.command = command
    with ExitStack() as adopted:
        try:
            with follow() as watcher:
                report = Transaction(session, options, watcher, confirm).switch(request)
            _require_certain(session, options, report)
            promised = session.journal_state.restores
            begun = session.clock.now()
            adopted.enter_context(adopting())
            code = command.run()
            _write_end(session, request, code, session.clock.now() - begun)
        finally:
            command.drop()
        if not options.then:
            return Ran(code, stopped=() if promised else _stopped(report))
        try:
            with follow() as watcher:
                _await_end(session, command.group, watcher)
                adopted.close()  # from here on it has children of its own
                return Ran(code, _bring_back(session, watcher, promised))
        except SparkModeError as error:
            return Ran(code, fault=error)


def _require_certain(session: Session, options: SwitchOptions, report: Report) -> None:
    """Raise NeedsAttention where a kill from now on would lose what is to come back."""
    session.reload_journal()
    known, has_stopped = session.journal_state, any(step.action in ("stop", "unload") for step in report.steps)
    if known.unfinished or (options.then and has_stopped and not known.restores):
        message = "the journal does not say for certain what comes back after the command, so it is not run"
        raise NeedsAttention(message, "make room, or make it writable; then bring back what ran before: spark-mode restore")


def _write_end(session: Session, request: RunRequest, code: int, seconds: float) -> None:
    """Have the history say how a command ended that began so many `seconds` ago."""
    attempt = Attempt(session, Watcher())
    said = attempt.ended(str(request), "ended", f"exit code {code}")
    attempt.record(said.model_copy(update={"at": ago(seconds), "seconds": round(seconds, 3)}), quietly=True)


def _stopped(report: Report) -> tuple[str, ...]:
    return tuple(dict.fromkeys(step.subject for step in report.steps if step.action in ("stop", "unload")))


def _bring_back(session: Session, watcher: Watcher, promised: bool) -> Report | None:
    """Bring back what ran before; None where nothing is to come back by now.

    Raises as a switch does, and Refused where another switch ended what was `promised`.
    """
    session.reload_journal()
    if promised and (ended_by := session.journal_state.ended_by):
        raise Refused(f"what ran before does not come back: {ended_by}, came meanwhile", "ask for what is to run now")
    if not session.owes_restore:
        return None
    options = SwitchOptions(wait_seconds=None, only_after=session.journal_state.then)
    return Transaction(session, options, watcher, None).switch(session.restore_request())


def _await_end(session: Session, group: int, watcher: Watcher) -> None:
    """Wait until all of a command has ended. Raises Interrupted when a signal comes while something of it still runs."""
    interruption, left, told, pause = Interruption(), list[Command](), False, POLL_SECONDS
    try:
        with interruption.listening():
            while left := [one for one in session.own_commands if one.pid == group]:
                if not told:
                    watcher.waiting(f"the command {left[0]}; when all that it has started has ended, what ran before comes back")
                    told = True
                interruption.check()
                session.clock.sleep(pause)
                pause = min(pause * 1.5, SLOW_POLL_SECONDS)
    except (Interrupted, LeftAtOnce):  # a second signal changes nothing: this is left as soon as it can be
        goes_on = ", ".join(map(str, left)) or "see spark-mode status"
        raise Interrupted(f"what the command has started goes on: {goes_on}", f"when it has ended, {LATER}") from None
