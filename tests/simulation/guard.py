"""A guard on a simulated machine: one process of it, which looks when it is told to."""

from pathlib import Path
from typing import Literal

from composer.enforcement.acts import Acts
from composer.switching.lock import is_acting
from tests.simulation.lab import SimulatedSession
from tests.simulation.machine import SimulatedMachine

Did = Literal["nothing", "relieved", "settled", "restored"]


class SimulatedGuard:
    """A guard with its memory of what it did; `said` are its lines. Another one of these is one that was started anew."""

    def __init__(self, machine: SimulatedMachine, folder: Path) -> None:
        self.said: list[str] = []
        self._session = SimulatedSession(machine, folder)
        self._acts = Acts(self._session, self.said.append, machine.beside)

    def look(self) -> Did:
        """Do what is due, as the guard's loop decides it, without its net. Raises as the acts do, and what nobody expected."""
        session = self._session
        self._acts.follow()
        session.read_again()
        session.look_again()
        if is_acting(session.directories.locks, session.clock):
            return "nothing"
        observed = session.observe()
        did: Did = "nothing"
        if self._acts.due(observed):
            self._acts.settle()
            did = "settled"
        elif (missing := session.rules.limits.floor - (observed.memory.available or 0)) > 0:
            self._acts.relieve(missing)
            did = "relieved"
        elif self._acts.is_restore_due(observed):
            self._acts.restore()
            did = "restored"
        self._acts.follow()
        return did

    def left(self) -> set[str]:
        """Return what still breaks a rule, and was not said to be left as it is."""
        there = {one.service for one in self._acts.due(self._session.observe()) if one.containers}
        return {name for name in there if not any(line.startswith(f"warned: stop {name}:") for line in self.said)}
