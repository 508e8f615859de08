"""The last event of a switch: how it ended, with the exit code, whether that is a result or an error."""

from collections.abc import Mapping

from spark_mode.errors import Interrupted, Refused
from spark_mode.wall_time import now

OUTCOMES = {Refused.exit_code: "refused", Interrupted.exit_code: "interrupted"}


def end_event(exit_code: int, data: Mapping[str, object], recorded: str | None = None) -> dict[str, object]:
    """Return the event for the `data` of a result or an error; `recorded` is what the journal has as the outcome."""
    rolled_back = exit_code == 1 and recorded == "rolled-back"
    outcome = "rolled-back" if rolled_back else OUTCOMES.get(exit_code, "failed")
    return {"event": "ended", "at": now(), "exit_code": exit_code, "outcome": outcome, **data}
