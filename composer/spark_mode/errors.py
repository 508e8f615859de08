"""Everything that can go wrong, and the exit code and next step that belong to it.

* SparkModeError               catch this at the edge: it knows its exit code and its hint
  + SwitchFailed          1    a switch failed; what ran before runs again, was never touched, or stays stopped as asked
  x UsageFault            2    the command line asks for something that does not exist
  x ConfigurationError    3    rules.yaml, a Compose file or the engine's set-up must be changed first
  x Refused               4    a rule, the budget or a foreign container forbids it
  x LockBusy              5    another switch is running
  x EngineUnavailable     6    Docker does not answer, or its state is unknown; nothing is started after this
  x NeedsAttention        7    a rollback is incomplete, or two exclusive sides were seen active
  x TryLater             75    a job that waited for its turn on this machine did not get it; whoever queues it asks again
  x Interrupted         130    the user stopped the switch

* StepFailed                   one step of a switch was not done; the switch takes its way back, and says how it ended
"""


class SparkModeError(Exception):
    """The base of all errors that a user may see; `message` says what, `hint` says what to do next."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SwitchFailed(SparkModeError):
    """A step of a switch failed, and the machine is where it was before or where the user asked it to stay."""

    exit_code = 1


class UsageFault(SparkModeError):
    """A name on the command line is not known to the lab."""

    exit_code = 2


class ConfigurationError(SparkModeError):
    """A file or the engine's set-up must be changed before anything can be done."""

    exit_code = 3


class Refused(SparkModeError):
    """A rule, the budget or a container outside the lab forbids the request; nothing was touched."""

    exit_code = 4


class LockBusy(SparkModeError):
    """Another switch holds the lock, or a command that it left behind still runs."""

    exit_code = 5


class EngineUnavailable(SparkModeError):
    """Docker cannot be asked, refuses, or did not answer in time: the state of containers is unknown."""

    exit_code = 6


class NeedsAttention(SparkModeError):
    """The machine is in a state that spark-mode could not put right; the message says what remains."""

    exit_code = 7


class TryLater(SparkModeError):
    """A job has waited for what a rule, a hold or another switch kept from it, for as long as it may; nothing was touched."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h


class Interrupted(SparkModeError):
    """The user interrupted a switch (Ctrl-C, SIGTERM or SIGHUP); the message says where the lab stands."""

    exit_code = 130


class StepFailed(Exception):
    """A step could not be carried out; the message says what was seen. No user sees it: a switch ends as one of the above."""
