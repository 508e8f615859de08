"""The plain commands of a simulated machine: they run, or are about to, until they are said to have ended."""

import os
from collections.abc import Callable
from pathlib import Path

from spark_mode.planning.foreign_workload import Command
from spark_mode.sharing.commands import Commands
from tests.simulation.engine import Killed
from tests.simulation.machine import SimulatedMachine


def killed_while_it_runs() -> int:
    """What happens while a command runs whose spark-mode is killed."""
    raise Killed


class SimulatedCommands(Commands):
    """What is written of them: it is what the machine has."""

    def __init__(self, machine: SimulatedMachine) -> None:
        super().__init__(Path("absent"))
        self._machine = machine

    def live(self) -> tuple[Command, ...]:
        return tuple(self._machine.commands)

    def add(self, command: Command) -> None:
        self._machine.effect("_count", command)


class SimulatedCommand:
    """A command; `meanwhile` is what happens while it runs, and gives its exit code. Its process is one that is there.

    Of one that `leaves` something that runs on.
    """

    def __init__(self, machine: SimulatedMachine, meanwhile: Callable[[], int], leaves: bool = False) -> None:
        self._machine, self._meanwhile, self._leaves = machine, meanwhile, leaves
        self._before, self._runs = len(machine.commands), False

    @property
    def group(self) -> int:
        return os.getppid() if self._before else os.getpid()

    def make(self) -> int:
        return self.group

    def drop(self) -> None:
        if not self._runs:
            del self._machine.commands[self._before :]

    def run(self) -> int:
        self._machine.effect("_let_go")
        self._runs = True
        code = self._meanwhile()
        if not self._leaves:
            del self._machine.commands[self._before :]
        return code
