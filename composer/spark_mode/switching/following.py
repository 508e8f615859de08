"""`training --then restore`: stay until training has ended, however it ended, and bring back what ran before."""

from contextlib import suppress

from spark_mode.errors import EngineUnavailable, Interrupted
from spark_mode.journal.journal import JournalFailed
from spark_mode.journal.records import RestoreAfter
from spark_mode.planning.mode import long_runs
from spark_mode.session.session import Session
from spark_mode.switching.interruption import Interruption
from spark_mode.switching.report import Report, SwitchOptions
from spark_mode.switching.transaction import Transaction
from spark_mode.switching.watcher import Watcher

POLL_SECONDS = 0.5
OUTAGE_SECONDS = 600.0
"""How long the engine may be away, such as for its own update, before this gives up."""


def restore_after_training(session: Session, watcher: Watcher) -> Report:
    """Wait until no long run is active, then restore, unless another switch came meanwhile.

    Raises as a switch does; Interrupted when a signal comes while training runs, which goes on.
    """
    session.reload_journal()
    followed = session.journal_state.last_change
    try:
        _await_end(session, watcher)
    except Interrupted:
        with suppress(JournalFailed):  # then a guard may do what nobody waits for any more
            session.journal.append(RestoreAfter(switch=None))
        raise
    session.reload_journal()
    known = session.journal_state
    options = SwitchOptions(wait_seconds=None, only_after=known.then if known.restores else followed)
    return Transaction(session, options, watcher, None).switch(session.restore_request())


def _await_end(session: Session, watcher: Watcher) -> None:
    interruption, answered_at = Interruption(), session.clock.now()
    with interruption.listening():
        names = ""
        while True:
            try:
                running = long_runs(session.containers(), session.rules)
                if not running:
                    return
                if not names:
                    names = ", ".join(running)
                    watcher.waiting(f"{names} runs; when it ends, what ran before comes back")
                answered_at = session.clock.now()
            except EngineUnavailable as error:
                if session.clock.now() - answered_at > OUTAGE_SECONDS:
                    hint = f"when {names or 'it'} has ended: spark-mode restore"
                    raise EngineUnavailable(f"{error.message}, for {OUTAGE_SECONDS:g} s", hint) from None
            if interruption.requested:
                message = f"{names or 'it'} goes on, and what ran before will not come back by itself"
                raise Interrupted(message, "when it has ended: spark-mode restore")
            session.clock.sleep(POLL_SECONDS)
