"""What hosts of models outside Docker load: they tell nobody, so they are asked again and again."""

from spark_mode.enforcement.beside import Beside
from spark_mode.session.session import Session

ASK_SECONDS = 0.25
"""How often, at most. What a client had loaded beside what excludes it is to be gone within a second."""


class HostWatch:
    """Asks daemons beside the guard's loop, which reads the memory meanwhile: one that hangs takes seconds to say nothing."""

    def __init__(self, session: Session, beside: Beside) -> None:
        self._session, self._beside = session, beside
        self._loaded: frozenset[tuple[str, str]] = frozenset()
        self._is_asked = self._has_news = False
        self._ask_at = 0.0

    def has_news(self) -> bool:
        """Return whether anything was loaded that was not there before; it is said once."""
        now, session = self._session.clock.now(), self._session
        if not self._is_asked and now >= self._ask_at and _has_daemons(session):
            self._is_asked, self._ask_at = True, now + ASK_SECONDS
            self._beside("hosts", self._ask)
        news, self._has_news = self._has_news, False
        return news

    def _ask(self) -> None:
        try:
            former, self._loaded = self._loaded, self._session.loaded_outside()
            self._has_news = self._has_news or bool(self._loaded - former)
        finally:
            self._is_asked = False


def _has_daemons(session: Session) -> bool:
    return any(host.unit or host.service is None for host in session.rules.hosts.values())
