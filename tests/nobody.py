"""Who follows a switch in the tests: nobody, who keeps the warnings and the steps that were said to begin."""

from spark_mode.planning.plan import Step
from spark_mode.switching.watcher import Watcher


class Nobody(Watcher):
    """Keeps what was warned of, and what began, each as `ACTION SUBJECT`."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.begun: list[str] = []

    def started(self, number: int, step: Step) -> None:
        self.begun.append(f"{step.action} {step.subject}")

    def warned(self, message: str) -> None:
        self.warnings.append(message)
