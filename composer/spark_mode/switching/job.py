"""A job of a queue has this machine: it waits for the machine's own rule, runs a mode to its end, and leaves nothing behind."""

import os
from contextlib import suppress

from spark_mode.errors import EngineUnavailable, Interrupted, LockBusy, Refused, TryLater
from spark_mode.journal.records import Held
from spark_mode.planning.container import Container
from spark_mode.planning.job import Job
from spark_mode.planning.mode import services_of
from spark_mode.planning.observed import Hold
from spark_mode.planning.request import ModeRequest, StopRequest
from spark_mode.session.session import Session
from spark_mode.sharing.lock import switch_lock
from spark_mode.sharing.process import is_running
from spark_mode.switching.attempt import Attempt
from spark_mode.switching.following import OUTAGE_SECONDS
from spark_mode.switching.interruption import Interruption
from spark_mode.switching.report import SwitchOptions
from spark_mode.switching.transaction import Transaction
from spark_mode.switching.watcher import Watcher

TRY_SECONDS = 1.0
"""How long is waited before a job that was refused asks again."""
POLL_SECONDS = 0.2
"""How often is looked whether what a job runs has ended."""
LOCK_SECONDS = 2.0
"""How long the end of a job waits for another switch before it stops beside it."""
GONE = 1
"""How a job ends whose container was removed, so that nobody knows how that ended."""


def hold_for_job(
    session: Session, request: ModeRequest, job: Job, wait_seconds: float, watcher: Watcher, options: SwitchOptions
) -> int:
    """Switch to a mode for a job, stay until it has ended, and return how it did: the exit code of what runs to its end.

    Asked again for a job that has it already, it follows the same run. SIGTERM, however often, stops the run as any stop does,
    with the time that it has for its checkpoint. Raises TryLater where the machine's own rule had no place for it in time, and
    else what a switch raises.
    """
    session.job = job
    interruption = Interruption(of_job=True)
    with interruption.listening():
        hold = hold_of(session, job) or _admitted(session, request, job, wait_seconds, watcher, options, interruption)
        followed = _followed(session, hold)
        code = _await_end(session, followed, hold, watcher, interruption)
        release_job(session, job, watcher)
        return code


def release_job(session: Session, job: Job, watcher: Watcher) -> list[Hold]:
    """End what a job holds, stop what it has left running, and return what it held; another job's is left alone.

    Said again, or of a job that is not known, it does nothing. That it has ended is written down first, so that nothing of it
    comes late; cut off in the middle, it has to be said again, and does the rest then. It waits for another switch only where
    one of the job's own was cut off. Raises as a stop and as a recovery do.

    Of a job that its controller has lost Slurm does not say the start, and its number may have come back: without a start
    those are meant that nobody follows any more.
    """
    session.reload_journal()
    cut_off = session.journal_state.unfinished
    if job.start is None:
        known = [one.job for one in session.journal_state.holds if one.job and job.means(one.job) and not _is_followed(one)]
        known += [cut_off.began.job] if cut_off and cut_off.began.job and job.means(cut_off.began.job) else []
    else:
        known = [job]
    return [hold for one in dict.fromkeys(known) for hold in _release(session, one, watcher)]


def _release(session: Session, job: Job, watcher: Watcher) -> list[Hold]:
    """End what exactly this job holds."""
    session.job = job
    session.ended_jobs.add(job)
    session.reload_journal()
    cut_off = session.journal_state.unfinished
    if cut_off and job.means(cut_off.began.job):
        Transaction(session, SwitchOptions(wait_seconds=None), watcher, None).undo(job)
        session.reload_journal()
    held = [one for one in session.journal_state.holds if job.means(one.job)]
    if not held:
        return []
    _stop(session, held, watcher)
    wait = None if job.start is None else 0.0  # one that is written down has ended whether or not its hold is tidied away
    locks, request = session.directories.locks, f"release of job {job.id}"
    with suppress(LockBusy), switch_lock(locks, request, wait, watcher.waiting, session.clock):
        session.reload_journal()
        left = tuple(one for one in session.observer.observe_running().held if one.process is None)
        Attempt(session, watcher).intend(Held(holds=left))
    return held


def _is_followed(hold: Hold) -> bool:
    """Whether another process follows what a job holds."""
    return hold.runner not in (0, os.getpid()) and is_running(hold.runner, hold.runner_began)


def hold_of(session: Session, job: Job) -> Hold | None:
    """Return what a job holds, as the journal has it, whether it still runs or not."""
    return next((one for one in session.journal_state.holds if job.means(one.job)), None)


def _admitted(
    session: Session,
    request: ModeRequest,
    job: Job,
    wait_seconds: float,
    watcher: Watcher,
    options: SwitchOptions,
    interruption: Interruption,
) -> Hold:
    """Switch as soon as the machine's own rule has a place for it."""
    options = options.model_copy(update={"hold": True, "job": job})
    deadline, said = session.clock.now() + wait_seconds, ""
    while True:
        try:
            _require_free(session, request, job)
            Transaction(session, options, watcher, None).switch(request)
            session.reload_journal()
            return hold_of(session, job) or Hold(request=str(request), by="", since="", services=(), job=job)
        except (Refused, LockBusy, EngineUnavailable) as error:
            if session.clock.now() >= deadline:
                raise TryLater(f"job {job.id} has no place here now: {error.message}", error.hint) from None
            if error.message != said:
                said = error.message
                watcher.waiting(said)
        if interruption.requested or job in session.ended_jobs:
            raise Interrupted(f"job {job.id} was ended while it waited, and nothing was touched")
        session.clock.sleep(TRY_SECONDS)
        session.reload_journal()


def _require_free(session: Session, request: ModeRequest, job: Job) -> None:
    """Raise Refused where a service of the mode is held by somebody else, or is a long run that is not this job's."""
    cut_off = session.journal_state.unfinished
    if cut_off and job.means(cut_off.began.job):
        return  # it is recovered first, whatever runs
    rules, seen = session.rules, session.observer.observe_running()
    mode = rules.modes[request.mode]
    for name in services_of(mode, request.profile or mode.choices[0], session.project):
        if name not in seen.active_services:
            continue
        if hold := seen.hold_of(name):
            raise Refused(f"{name} is held: {hold}", hold.hint)
        if rules.runs_to_end(rules.of_service(name)):
            raise Refused(f"{name} runs already, and is not this job's", f"wait until it has ended, or: spark-mode stop {name}")


def _followed(session: Session, hold: Hold) -> tuple[Container, ...]:
    """Return the containers with whose end a job has ended: its long runs, and where it has none all that it has brought."""
    services = hold.services or (hold.request,)
    long_runs = [one for one in services if session.rules.runs_to_end(session.rules.of_service(one))]
    wanted = long_runs or hold.brought or services
    return tuple(one for one in session.containers() if one.service in wanted and not one.one_off)


def _await_end(
    session: Session, followed: tuple[Container, ...], hold: Hold, watcher: Watcher, interruption: Interruption
) -> int:
    """Wait until the containers of a job have ended, and return the worst of their exit codes."""
    clock, ids = session.clock, [one.id for one in followed]
    answered_at, told = clock.now(), False
    while True:
        try:
            seen = session.docker.those(ids)
            answered_at = clock.now()
            if not any(one.active for one in seen):
                return max((one.exit_code or 0 for one in seen), default=GONE)
        except EngineUnavailable as error:
            if clock.now() - answered_at > OUTAGE_SECONDS:
                raise EngineUnavailable(f"{error.message}, for {OUTAGE_SECONDS:g} s", error.hint) from None
        if interruption.requested and not told:
            _stop(session, [hold], watcher)
            told = True
        else:
            clock.sleep(POLL_SECONDS)


def _stop(session: Session, held: list[Hold], watcher: Watcher) -> None:
    """Stop what these holds have brought and still runs, as any stop does. Raises as that does.

    A switch that runs may load a model for longer than the job has for its end, so it is waited for briefly: what only stops is
    in nobody's way.
    """
    brought = {name for one in held for name in one.brought}
    there = [one for one in session.observer.observe_running().active if one.service in brought]
    if not there:
        return
    request = StopRequest(names=tuple(sorted({one.service for one in there if one.service})), alone=True)
    try:
        Transaction(session, SwitchOptions(wait_seconds=LOCK_SECONDS, yes=True), watcher, None).switch(request)
    except LockBusy as busy:
        watcher.warned(f"{busy.message}; what the job runs is stopped beside it")
        session.docker.stop_all({one.id: one.stop_seconds for one in there})
