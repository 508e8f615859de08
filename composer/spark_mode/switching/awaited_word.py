"""Waiting, under the lock and with a plan, for the word of whoever asks several machines at once: all of them switch, or none.

The lock is lent: where no word comes in time, because whoever asked is gone, it is let go.
"""

from collections.abc import Callable

from spark_mode.engine.doors import Clock
from spark_mode.errors import ConfigurationError, Refused
from spark_mode.sharing.kept_requests import EXPIRED, GO, KeptRequest
from spark_mode.sharing.lock import Lock

POLL_SECONDS = 0.02
_WHY = {EXPIRED: "no word came within {seconds:g} s", None: "its word cannot be read"}


class AwaitedWord:
    """The word for one request, which is waited for at most so many seconds."""

    def __init__(self, request: KeptRequest, seconds: float, clock: Clock) -> None:
        self._request, self._seconds, self._clock = request, seconds, clock

    def require_go(self, lock: Lock, waits: Callable[[], None]) -> None:
        """Return when it may go on; `waits` is called once it can be told. Raises Refused when it may not, or no word comes."""
        with lock.waiting("waiting for the word of who asks several machines at once"):
            waits()
            word = self._await()
        if word != GO:
            why = _WHY.get(word, "another machine of the same request cannot switch").format(seconds=self._seconds)
            raise Refused(f"{why}; nothing was touched", "ask again: spark-mode -H NODES …")

    def _await(self) -> str | None:
        until = self._clock.now() + self._seconds
        try:
            while self._request.word is None:
                if self._clock.now() >= until:
                    return self._request.say(EXPIRED)
                self._clock.sleep(POLL_SECONDS)
            return self._request.word
        except ConfigurationError:
            return None
