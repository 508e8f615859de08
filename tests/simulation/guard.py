"""A guard on a simulated machine: one process of it, which looks when it is told to."""

from pathlib import Path

from spark_mode.enforcement.guard import Did, Guard
from tests.simulation.lab import SimulatedSession
from tests.simulation.machine import SimulatedMachine


class SimulatedGuard:
    """A guard with its memory of what it did; `said` are its lines. Another one of these is one that was started anew."""

    def __init__(self, machine: SimulatedMachine, folder: Path) -> None:
        self.said: list[str] = []
        self._session = SimulatedSession(machine, folder)
        self._guard = Guard(self._session, self.said.append, machine.beside)

    def look(self) -> Did:
        """Look as the guard's loop does when memory is below the floor, or not, without its net and its patience.

        Raises as the acts do, and what nobody expected.
        """
        available = self._session.machine.memory().available or 0
        self._guard.acts.follow()
        did = self._guard.look(max(0, self._session.rules.limits.floor - available))
        self._guard.acts.follow()
        return did

    def left(self) -> set[str]:
        """Return what still breaks a rule, and was not said to be left as it is."""
        with self._session.forgiveness.given():
            there = {one.service for one in self._guard.acts.due(self._session.observe()) if one.can_go}
        left_alone = {name for name in there for how in ("stop", "unload") if self._said(f"warned: {how} {name}:")}
        return there - left_alone

    def _said(self, beginning: str) -> bool:
        return any(line.startswith(beginning) for line in self.said)
