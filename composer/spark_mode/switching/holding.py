"""What stays in force after a switch: what is held, and what comes back when training has ended."""

import os
from collections.abc import Iterable, Sequence

from spark_mode.errors import UsageFault
from spark_mode.journal.coming_back import due_after, still_due
from spark_mode.journal.records import Began, Held, RestoreAfter
from spark_mode.journal.state import Before, before_of, with_more
from spark_mode.journal.understanding import require_understood
from spark_mode.planning.observed import Hold, Observed
from spark_mode.planning.plan import Plan, Start, Step, Unpause
from spark_mode.planning.request import Request
from spark_mode.session.session import Session
from spark_mode.sharing.lock import switch_lock
from spark_mode.sharing.process import process_began
from spark_mode.switching.attempt import Attempt
from spark_mode.switching.report import SwitchOptions
from spark_mode.switching.watcher import Watcher
from spark_mode.wall_time import now


def keep_in_force(
    attempt: Attempt, request: Request, plan: Plan, seen: Observed, asked: Began | SwitchOptions, switch: str | None
) -> None:
    """Write down what holds from now on: `--hold`, and `--then restore` after a switch; before its end is written."""
    holds = [one for one in seen.held if one.process is None]
    if asked.hold:
        containers = tuple(one.id for one in seen.active if one.service in plan.target and not one.one_off)
        steps = asked.steps if isinstance(asked, Began) else plan.steps
        hold = Hold(
            request=str(request),
            by=asked.by if isinstance(asked, Began) else attempt.by,
            since=now(),
            services=plan.target,
            containers=containers,
            models=plan.target_models,
            job=asked.job,
            brought=tuple(one.service for one in steps if isinstance(one, Start | Unpause)) if asked.job else (),
            **(_runner() if asked.job and not isinstance(asked, Began) else {}),
        )
        holds = [one for one in holds if one.services != hold.services] + [hold]
    if asked.hold or len(holds) != len(attempt.session.journal_state.holds):
        attempt.record(Held(holds=tuple(holds)))
    if asked.then:
        restore_after(attempt, switch, owed=request.verb == "run")


def _runner() -> dict[str, int]:
    """Return this process, as that which follows what it holds for a job; a recovery follows nothing."""
    return {"runner": os.getpid(), "runner_began": process_began(os.getpid()) or 0}


def restore_after(attempt: Attempt, switch: str | None, owed: bool = False) -> None:
    """Write that what ran before comes back when the training, or the command, of a switch has ended; None: nothing does."""
    attempt.record(RestoreAfter(switch=switch, owed=owed))


def goes_on(session: Session, request: Request, steps: Iterable[Step], replaced: Sequence[str] = ()) -> bool:
    """Whether what is to come back after a training still is after a request, which has `replaced` some of it."""
    return not replaced and still_due(session.journal_state, session.rules, request, steps)


def comes_back(session: Session, request: Request, plan: Plan, before: Observed, replaced: Sequence[str] = ()) -> Before:
    """Return what `restore` brings back after a request before which this was observed, and which has `replaced` some of it."""
    was = before_of(before, session.project, session.rules)
    if replaced:
        return with_more(was, replaced)
    return due_after(session.journal_state, session.rules, session.project, request, plan, was)


def require_known_before(session: Session, mode: str) -> None:
    """Raise UsageFault where the mode that is on is not the one that the last switch left: it was begun by others.

    What ran before that switch did not run before this mode.
    """
    if session.state.before is None or session.state.mode != mode:
        message = f"what ran before {mode} is not known, because no switch has brought it about"
        raise UsageFault(message, "leave --then out; when it has ended, ask for a mode")


def release_holds(session: Session, watcher: Watcher) -> list[Hold]:
    """End all holds, and return what was held and still ran: under the lock, because a switch writes down what is held, too.

    Raises LockBusy while a switch runs, NeedsAttention where a hold may be written that is not understood, ConfigurationError
    when the release cannot be written.
    """
    with switch_lock(session.directories.locks, "release", 0.0, watcher.waiting, session.clock):
        session.reload_journal()
        require_understood(session.journal_state)
        held = [one for one in session.observer.observe_running().held if one.process is None]
        if session.journal_state.holds:
            Attempt(session, watcher).intend(Held(holds=()))
    return held
