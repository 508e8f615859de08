"""Who follows a switch that the guard makes: the guard's own lines."""

from collections.abc import Callable

from spark_mode.enforcement.notify import notify
from spark_mode.planning.plan import Plan, Step
from spark_mode.switching.watcher import Watcher


class GuardWatcher(Watcher):
    """Passes on what matters of a switch, and tells systemd that it goes on."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def waiting(self, holder: str) -> None:
        self._say(f"waiting: {holder}")

    def recovering(self, what: str) -> None:
        self._say(f"recovering: {what}")

    def planned(self, plan: Plan) -> None:
        self._say(f"switching: {plan.request}")

    def started(self, number: int, step: Step) -> None:
        notify("WATCHDOG=1")
        self._say(f"{number}  {step.action} {step.subject}: {step.cause}")

    def progress(self, available: int | None, note: str) -> None:  # noqa: ARG002 - a line a second is too much for a log
        notify("WATCHDOG=1")

    def finished(self, number: int, step: Step) -> None:
        pass

    def warned(self, message: str) -> None:
        self._say(f"WARNING: {message}")

    def signalled(self, what: str) -> None:
        pass  # whoever ends the guard reads how the switch has ended

    def rolling_back(self, reason: str, steps: tuple[Step, ...]) -> None:
        self._say(f"going back with {len(steps)} steps: {reason}")
