"""The plain commands that run as workloads, on a machine or in a lab of its own: a file that all users share.

A command counts as long as a process of its group runs, or whatever else it has started (`command_processes.py`), whoever
started or lost it: a script that is killed may leave its training. The kernel gives a group's number to nobody while one of its
processes is there. So nothing has to be cleaned up, and what is written of one that has ended holds nobody up.
"""

import json
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from spark_mode.atomic_file import replace_file
from spark_mode.errors import ConfigurationError
from spark_mode.plain_file import fault, read_plain
from spark_mode.planning.foreign_workload import Command
from spark_mode.sharing.command_processes import Leader, is_kept_from_us, processes_of
from spark_mode.sharing.process import group_runs
from spark_mode.sharing.shared_file import MODE

_REMOVE = "remove it, when no command runs that spark-mode has started"
_Commands = TypeAdapter(tuple[Command, ...])


class Commands:
    """Those of a file, which only the holder of the main lock writes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def live(self) -> tuple[Command, ...]:
        """Return those that run. Raises ConfigurationError when the file cannot be read."""
        try:
            found = _Commands.validate_json(read_plain(self._path, follow=False))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ConfigurationError(*fault(self._path, error, _REMOVE)) from None
        except ValidationError:
            raise ConfigurationError(f"{self._path}: is not what was written", _REMOVE) from None
        return tuple(seen for one in found if (seen := _running(one)))

    def add(self, command: Command) -> None:
        """Add one, and drop those that have ended. Raises ConfigurationError."""
        try:
            replace_file(
                self._path, json.dumps([one.model_dump(exclude={"left"}) for one in (*self.live(), command)]).encode(), MODE
            )
        except OSError as error:
            raise ConfigurationError(*fault(self._path, error, "make room, or make it writable")) from None


def leader_of(command: Command) -> Leader:
    """Return by which processes a command is known."""
    return Leader(command.pid, command.began, command.runner, command.runner_began)


def _running(command: Command) -> Command | None:
    """Return a command with what is left of it; None when all of it has ended."""
    if group_runs(command.pid, command.began):
        return command
    left = processes_of(leader_of(command))
    hidden = not left and is_kept_from_us(command.runner, command.runner_began)
    return command.model_copy(update={"left": tuple(sorted(left))}) if left or hidden else None
