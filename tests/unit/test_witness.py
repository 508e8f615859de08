"""The witness of the tests on a real engine: what it takes from what an engine says after a break of its events."""

from typing import Any

from tests.engine.witness import Moment, caught_up, overlaps

OMNI, TRAINING = "a" * 64, "b" * 64


def said(id_: str, service: str, started: int | None, ended: int | None = None, status: str = "exited") -> dict[str, Any]:
    """What an engine says of a container, with times in seconds."""
    state = {"Status": status, "Running": status == "running", "StartedAt": at(started), "FinishedAt": at(ended)}
    return {"Id": id_, "Name": service, "State": state, "Config": {"Labels": {"com.docker.compose.service": service}}}


def at(seconds: int | None) -> str:
    return "0001-01-01T00:00:00Z" if seconds is None else f"1970-01-01T00:00:{seconds:02}.5Z"


def moment(seconds: float, id_: str, side: str, begins: bool) -> Moment:
    return Moment(int(seconds * 10**9), id_, side, begins)


def test_what_ended_while_the_engine_was_away_is_no_overlap_with_what_was_started_later() -> None:
    known = [moment(10.6, TRAINING, "training", True)]
    known += caught_up([said(TRAINING, "training", 10, 20)], known)
    known += [moment(30, OMNI, "audio", True)]
    assert overlaps(known) == []
    assert overlaps([known[0], known[-1]]) == [(30 * 10**9, float("inf"))]


def test_what_ended_by_the_runtimes_time_before_its_start_was_told_of_has_ended() -> None:
    known = [moment(10.9, TRAINING, "training", True)]
    known += caught_up([said(TRAINING, "training", 10, 10)], known)
    assert overlaps([*known, moment(12, OMNI, "audio", True)]) == []


def test_what_the_engine_started_again_has_ended_in_between() -> None:
    known = [moment(10, OMNI, "audio", True)]
    known += caught_up([said(OMNI, "omni", 30, 20, "running")], known)
    known += [moment(22, TRAINING, "training", True), moment(25, TRAINING, "training", False)]
    assert overlaps(known) == []
    assert overlaps([*known, moment(31, TRAINING, "training", True)]) == [(31 * 10**9, float("inf"))]


def test_what_is_gone_after_a_break_has_ended_and_what_was_never_started_has_not_begun() -> None:
    known = [moment(10, OMNI, "audio", True)]
    assert [(one.container, one.begins) for one in caught_up([said(TRAINING, "training", None)], known)] == [(OMNI, False)]


def test_a_moment_is_told_with_its_time_and_what_said_so() -> None:
    one = Moment(1_234_567_890, OMNI, "audio", True, "start of lab-omni-1")
    assert str(one) == "00:00:01.234 audio aaaaaaaaaaaa begins: start of lab-omni-1"
