"""What was switched, from the journal: oldest first."""

from spark_mode.errors import ConfigurationError
from spark_mode.frozen import Frozen
from spark_mode.journal.journal import JournalFailed, journal_state
from spark_mode.journal.records import Ended
from spark_mode.session.session import Session


class Event(Frozen):
    """A request and how it ended. `at` is ISO 8601; `seconds` is None for a switch that was cut off."""

    at: str
    request: str
    by: str
    outcome: str
    seconds: float | None
    note: str | None = None

    @property
    def took(self) -> str:
        """How long it took, for people."""
        return "-" if self.seconds is None else f"{self.seconds:.1f} s"

    def as_json(self) -> dict[str, object]:
        """Return the stable JSON form."""
        return self.model_dump()


def history(session: Session) -> list[Event]:
    """Return all that the journal has, a switch that was cut off last. Raises EngineUnavailable, ConfigurationError."""
    found = [
        Event(at=one.at, request=one.request, by=one.by, outcome=one.outcome, seconds=one.seconds, note=one.note)
        for one in _ended(session)
    ]
    if cut_off := session.cut_off:
        began, note = cut_off.began, f"cut off during {cut_off.at}; spark-mode recover"
        found.append(Event(at=began.at, request=str(began.request), by=began.by, outcome="interrupted", seconds=None, note=note))
    return found


def _ended(session: Session) -> tuple[Ended, ...]:
    try:
        return journal_state(session.journal.history()).ended
    except JournalFailed as error:
        raise ConfigurationError(str(error), error.fix) from None
