"""What the page makes of what was seen, without looking: how far a switch is, and who holds the memory."""

from typing import Any
from urllib.parse import parse_qsl

import pytest

from spark_mode.errors import UsageFault
from spark_mode.journal.journal import UnfinishedSwitch
from spark_mode.journal.records import Began
from spark_mode.lab.size import GB
from spark_mode.page.access import Visitor
from spark_mode.page.asked import AskedSwitch
from spark_mode.page.bar import WHOLE, bar
from spark_mode.page.render import page
from spark_mode.page.steps import StepTimes, holder_of, running, step_rows
from spark_mode.planning.observed import Memory, Observed
from spark_mode.planning.plan import AwaitRelease, Start, Step, Stop
from spark_mode.planning.request import ModeRequest
from spark_mode.reporting.status_model import ModelStatus, ServiceStatus, Status

STOPS = tuple(Stop(subject=one, cause="", service=one, containers=(), by_compose=False) for one in ("omni", "whisper"))
WAIT = AwaitRelease(subject="-", cause="", required=0)
STARTS = tuple(
    Start(subject=one, cause="", service=one, completes=False, ready_seconds=60, side_by_side=True) for one in ("web", "cache")
)
TRAINING = Start(subject="training", cause="", service="training", completes=True, ready_seconds=60)
PLAN: tuple[Step, ...] = (*STOPS, WAIT, *STARTS, TRAINING)
ROOM = Memory(total=128 * GB, available=100 * GB, free=90 * GB)


def switch(*begun: Step, back: bool = False, ready: tuple[str, ...] = ()) -> UnfinishedSwitch:
    began = Began(
        switch="one",
        at="",
        by="ann",
        request=ModeRequest(mode="training"),
        steps=PLAN,
        before=Observed(),
        restore=True,
        inputs={},
    )
    return UnfinishedSwitch(began=began, steps=begun, back=back, ready=ready)


def marks(one: UnfinishedSwitch) -> str:
    return "".join({"done": "x", "running": ">", "to come": ".", "failed": "!"}[row.mark] for row in step_rows(one))


@pytest.mark.parametrize(
    ("one", "shown"),
    [
        (switch(), "......"),
        (switch(*STOPS), ">>...."),
        (switch(*STOPS, WAIT), "xx>..."),
        (switch(*STOPS, WAIT, *STARTS), "xxx>>."),
        (switch(*STOPS, WAIT, *STARTS, ready=("cache",)), "xxx>x."),
        (switch(*PLAN), "xxxxx>"),
        (switch(*PLAN, STOPS[0].model_copy(update={"subject": "training"}), back=True), "xxxxxx>"),
    ],
)
def test_a_step_is_done_when_what_comes_after_it_was_begun(one: UnfinishedSwitch, shown: str) -> None:
    assert marks(one) == shown


def test_what_a_holder_of_the_lock_wrote_is_read_as_far_as_it_can_be() -> None:
    assert holder_of(b'{"request": "training", "user": "ann", "pid": 7, "since": "x", "doing": "stop", "more": 1}').pid == 7
    for broken in (b"", b"[]", b"{", b'{"pid": "many"}', b"[" * 9000):
        assert holder_of(broken).request == ""


def test_the_time_of_a_step_counts_from_when_it_was_first_seen_to_run() -> None:
    times = StepTimes()
    times.saw(running(b"", switch(*STOPS)), 10.0)
    times.saw(running(b"", switch(*STOPS, WAIT)), 15.0)
    assert [times.seconds(place, 18.0) for place in range(4)] == [5.0, 5.0, 3.0, None]
    times.saw(None, 20.0)
    assert times.seconds(0, 20.0) is None


def seen(*sizes: tuple[str, int, int | None], models: tuple[ModelStatus, ...] = ()) -> Status:
    services = tuple(
        ServiceStatus(service=name, class_="x", state="running", health="none", age=1.0, planned=planned, measured=measured)
        for name, planned, measured in sizes
    )
    nothing: tuple[str, ...] = ("violations", "foreign", "memory_users", "notes", "changes")
    empty: dict[str, Any] = {**dict.fromkeys(nothing, ()), "others": {}, "utilisation": None}
    return Status(
        mode="custom", since=None, services=services, models=models, memory=ROOM, declared=30 * GB, capacity=128 * GB, **empty
    )


def test_the_bar_has_all_of_the_memory_once() -> None:
    drawn = bar(ROOM, seen(("omni", 8 * GB, None), ("whisper", 3 * GB, 4 * GB)), 20 * GB)
    assert drawn
    assert {one.label.partition(",")[0]: one.size // GB for one in drawn.segments} == {
        "omni": 8,
        "whisper": 4,
        "the system": 16,
        "page cache": 10,
        "free": 90,
    }
    assert sum(one.width for one in drawn.segments) == pytest.approx(WHOLE, abs=0.1)
    assert drawn.headroom_x == pytest.approx(WHOLE * 108 / 128, abs=0.1)


def test_what_is_planned_and_not_taken_yet_makes_the_bar_no_longer_than_what_is_used() -> None:
    drawn = bar(ROOM, seen(("training", 40 * GB, None), ("omni", 16 * GB, None)), 20 * GB)
    assert drawn
    assert [(one.label, one.size // GB, one.planned) for one in drawn.segments[:2]] == [
        ("training", 20, 40 * GB),
        ("omni", 8, 16 * GB),
    ]


def test_a_model_that_is_not_loaded_holds_nothing() -> None:
    model = ModelStatus(name="m", host="h", expected=True, loaded=False, planned=40 * GB)
    drawn = bar(ROOM, seen(models=(model,)), 20 * GB)
    assert drawn
    assert [one for one in drawn.segments if one.kind == "workload"] == []


def test_memory_that_is_not_known_has_no_bar() -> None:
    assert bar(Memory(total=None, available=None), None, 0) is None


def test_what_is_asked_for_reads_as_it_was_written() -> None:
    for one in (AskedSwitch("to", ("audio", "omni"), then=True), AskedSwitch("up", ("a b&c", "ä")), AskedSwitch("restore")):
        fields: dict[str, list[str]] = {}
        for key, value in parse_qsl(one.query):
            fields.setdefault(key, []).append(value)
        assert AskedSwitch.of(fields) == one


@pytest.mark.parametrize("names", [["-f"], ["a\nb"], [""], ["a\udcff"], ["x"] * 101, ["a", "b", "c"]])
def test_names_that_no_command_would_be_given_are_refused(names: list[str]) -> None:
    with pytest.raises(UsageFault):
        AskedSwitch.of({"verb": ["to"], "name": names})


@pytest.mark.parametrize("verb", ["run", "release", "gate", ""])
def test_a_verb_that_no_form_has_is_refused(verb: str) -> None:
    with pytest.raises(UsageFault):
        AskedSwitch.of({"verb": [verb], "name": ["x"]})


def test_what_a_template_prints_is_escaped_readable_and_bounded() -> None:
    class Mistake:
        message, hint = "<script>\x1b[31m\udcff\u202e", "x" * 10_000

    shown = page("mistake.html", mistake=Mistake(), lab="lab", visitor=Visitor(False, ""), up="", here="")
    assert "&lt;script&gt; [31m" in shown
    assert not any(one in shown for one in ("\x1b", "\udcff", "\u202e", "<script>"))
    assert "x" * 4001 not in shown
