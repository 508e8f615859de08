"""Who follows a switch: a terminal, plain lines, the guard's log, or nobody."""

from spark_mode.journal.records import Outcome
from spark_mode.planning.plan import Plan, Step


class Watcher:
    """Looks away. Whoever wants to be told of something overrides that."""

    def waiting(self, holder: str) -> None:
        """Another switch holds the lock; `holder` says who, since when and doing what."""

    def recovering(self, what: str) -> None:
        """A switch that was cut off is finished or undone first; `what` names it."""

    def planned(self, plan: Plan) -> None:
        """The plan under the lock, before its first step."""

    def admitted(self) -> None:
        """The plan stands, under the lock, and waits for the word of whoever asks several machines at once."""

    def started(self, number: int, step: Step) -> None:
        """A step begins."""

    def progress(self, available: int | None, note: str) -> None:
        """The running step goes on: the bytes available now, and what can be said, such as a service's last log line."""

    def finished(self, number: int, step: Step) -> None:
        """A step is done."""

    def failed(self, reason: str) -> None:
        """The running step, or one of those that go side by side, was not done; the first line of the reason is enough."""

    def warned(self, message: str) -> None:
        """Something that the user must know, such as a checkpoint that may be lost."""

    def signalled(self, what: str) -> None:
        """A signal came that is not acted on at once; called in its handler, whatever is being written at that moment."""

    def rolling_back(self, reason: str, steps: tuple[Step, ...]) -> None:
        """A step failed; these steps bring back what ran before, and are reported like the plan's."""

    def ended(self, outcome: Outcome) -> None:
        """How a request ended is written down: the last one is the one that was asked for."""
