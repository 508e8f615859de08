"""Who follows a switch in the tests: nobody, who keeps the warnings."""

from spark_mode.switching.watcher import Watcher


class Nobody(Watcher):
    """Keeps what was warned of."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warned(self, message: str) -> None:
        self.warnings.append(message)
