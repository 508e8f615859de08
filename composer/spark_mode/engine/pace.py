"""How fast things begin side by side: as many at a time as go well together, and none of them held up by one that takes long."""

from threading import Condition


class Pace:
    """Lets up to `beside` go at a time, and another one after so many `seconds` without an end."""

    def __init__(self, beside: int, seconds: float) -> None:
        self._beside, self._seconds = beside, seconds
        self._going, self._one_ended = 0, Condition()

    def begin(self) -> None:
        """Return when the next one may begin."""
        with self._one_ended:
            self._one_ended.wait_for(lambda: self._going < self._beside, self._seconds)
            self._going += 1

    def ended(self) -> None:
        """Say that one has ended."""
        with self._one_ended:
            self._going -= 1
            self._one_ended.notify()
