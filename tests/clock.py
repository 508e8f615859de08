"""Time for tests that wait for nothing."""


class PassingClock:
    """Time that passes only while somebody waits."""

    time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
