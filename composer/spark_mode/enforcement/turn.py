"""When the guard may act, beside those who switch.

It acts under the switch's lock, or beside a holder that is held up: one that only waits, was stopped, or has shown no
progress for some seconds; and without the lock where that cannot be used. That is safe because the guard only stops, and
because the holder, when it wakes up, looks before each effect that brings something up: `last_look` before a create, a start,
an unpause and a load. Between that look and what the engine makes of it lies a moment that nobody can take away; a start that
falls into it is seen at the holder's next look, which comes right after, and ended there.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from spark_mode.enforcement.guard_watcher import GuardWatcher
from spark_mode.enforcement.lasting import Lasting
from spark_mode.errors import ConfigurationError, LockBusy
from spark_mode.session.session import Session
from spark_mode.sharing.lock import is_acting, switch_lock


class Turn:
    """The guard's turn at one lab; `say` is told what it acts beside, and once what it has to do without."""

    def __init__(self, session: Session, say: Callable[[str], None]) -> None:
        self._session, self._say, self._lasting = session, say, Lasting(say)

    def is_left_to_a_switch(self) -> bool:
        """Whether a switch makes progress, which ends what breaks a rule itself; not where that cannot be seen."""
        try:
            is_left = is_acting(self._session.directories.locks, self._session.clock)
        except ConfigurationError as error:
            self._lasting("holder", f"{error.message}; the guard acts as if none did")
            return False
        self._lasting("holder", "")
        return is_left

    @contextmanager
    def taken(self) -> Iterator[Callable[[str], None]]:
        """Hold the lock, or act beside a holder that is held up; what is done then is to be told to what this gives.

        Without a lock that can be used, a journal or leases it acts all the same, and for a command that a killed switch left
        behind it does not wait. Raises LockBusy while a switch makes progress.
        """
        locks, clock, watcher = self._session.directories.locks, self._session.clock, GuardWatcher(self._say)
        left_behind = partial(self._lasting, "left behind")
        with ExitStack() as held:
            held.enter_context(self._session.forgiveness.given())
            try:
                lock = held.enter_context(switch_lock(locks, "guard", 0.0, watcher.waiting, clock, left_behind))
            except LockBusy as error:
                if self.is_left_to_a_switch():
                    raise
                yield partial(self._beside_holder, error.message)
            except ConfigurationError as error:
                self._lasting("lock", f"{error.message}; the guard acts without it, and keeps no switch from starting again")
                yield _untold
            else:
                self._lasting("lock", "")
                yield lock.doing

    def _beside_holder(self, holder: str, what: str) -> None:
        self._say(f"{what}, beside what is held up: {holder}")


def _untold(what: str) -> None:
    """Tell nobody what is done: without a lock nobody waits for it."""
