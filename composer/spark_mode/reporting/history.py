"""What was switched, from the journal: in the order in which it ended."""

from pydantic import Field

from spark_mode.errors import ConfigurationError
from spark_mode.frozen import Frozen
from spark_mode.journal.journal import JournalFailed, journal_state
from spark_mode.journal.records import Ended
from spark_mode.session.session import Session
from spark_mode.wall_time import age

ENDS = {"applied": "done", "unchanged": "nothing to do", "rolled-back": "went back"}
"""How an outcome is said, where its own word in JSON is not what people say."""
LONG = 600
"""From how many seconds on what something took is said in minutes and hours."""
DECLINED = "you said no"
"""How the note begins of what was refused by an answer."""


class Event(Frozen):
    """A request and how it ended. `at` is when it began, ISO 8601; `seconds` is None for a switch that was cut off.

    `switch` names it here.
    """

    at: str
    request: str
    by: str
    outcome: str
    seconds: float | None
    note: str | None = None
    switch: str = Field(default="", exclude=True)

    @property
    def took(self) -> str:
        """How long it took, for people."""
        if self.seconds is None:
            return "-"
        return f"{self.seconds:.1f} s" if self.seconds < LONG else age(self.seconds)

    def as_json(self) -> dict[str, object]:
        """Return the stable JSON form."""
        return self.model_dump()


def history(session: Session) -> list[Event]:
    """Return all that the journal has, what ended first at the beginning, a switch that was cut off last.

    Raises EngineUnavailable, ConfigurationError.
    """
    found = [
        Event(**one.model_dump(include={"at", "request", "by", "outcome", "seconds", "note", "switch"}))
        for one in _ended(session)
    ]
    if cut_off := session.cut_off:
        began, note = cut_off.began, f"cut off during {cut_off.at}; spark-mode recover"
        found.append(
            Event(
                at=began.at,
                request=str(began.request),
                by=began.by,
                outcome="interrupted",
                seconds=None,
                note=note,
                switch=began.switch,
            )
        )
    return found


def _ended(session: Session) -> tuple[Ended, ...]:
    try:
        return journal_state(session.journal.history()).ended
    except JournalFailed as error:
        raise ConfigurationError(str(error), error.fix) from None


def end_said(event: Event) -> str:
    """Return how a request ended, with the first line of what there is to say of it that is not said yet."""
    said = ENDS.get(event.outcome, event.outcome)
    notes = [note.removeprefix(f"{event.request}: ") for note in (event.note or "").splitlines()]
    note = next((one for one in notes if one not in ("", said, event.outcome)), "")
    if note.startswith(DECLINED):
        return note
    return f"{said}{', ' if event.outcome == 'applied' else ': '}{note}" if note else said
