"""Who follows a switch in the tests: nobody, who keeps the warnings."""

from spark_mode.planning.plan import Plan, Step


class Nobody:
    """A watcher that looks away."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def waiting(self, holder: str) -> None: ...

    def recovering(self, what: str) -> None: ...

    def planned(self, plan: Plan) -> None: ...

    def started(self, number: int, step: Step) -> None: ...

    def progress(self, available: int | None, note: str) -> None: ...

    def finished(self, number: int, step: Step) -> None: ...

    def signalled(self, what: str) -> None: ...

    def warned(self, message: str) -> None:
        self.warnings.append(message)

    def rolling_back(self, reason: str, steps: tuple[Step, ...]) -> None: ...
