"""The commands that a switch starts: one which outlives a killed switch still holds their lock."""

from pathlib import Path

from spark_mode.engine.doors import Clock
from spark_mode.sharing.process import holders
from spark_mode.sharing.shared_file import locked, open_lock, takes
from spark_mode.sharing.waiting import Tell, await_lock

CHILDREN_SECONDS = 2.0
"""How long a switch waits, at least, for the end of commands that an earlier one left behind. Who only stops does not."""


def children_lock(locks: Path) -> Path:
    """Return the lock file that every command of a switch holds while it runs."""
    return locks / "children.lock"


def await_children(locks: Path, deadline: float | None, tell: Tell, clock: Clock) -> None:
    """See that no command of an earlier switch runs any more, before the first of this one starts."""

    def wait(descriptor: int) -> None:
        await_lock(descriptor, deadline, tell, clock, lambda: _child(locks))

    with locked(children_lock(locks), open_lock, wait):
        pass


def tell_of_children(locks: Path, tell: Tell) -> None:
    """Tell of a command of an earlier switch that still runs."""

    def look(descriptor: int) -> None:
        if not takes(descriptor):
            tell(f"{_child(locks)}; it may start something again")

    with locked(children_lock(locks), open_lock, look):
        pass


def _child(locks: Path) -> str:
    """Return what to say of a command left behind: with its process, where the kernel shows it."""
    found = ", ".join(map(str, holders(children_lock(locks))))
    return f"a command that a killed switch left behind still runs{f': process {found}' if found else ''}"
