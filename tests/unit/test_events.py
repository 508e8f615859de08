"""`--format jsonl`: a switch tells what happens as it happens, an object a line, and as docs/commands.md says."""

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from documents.spark import ROOT, Terminal, terminal
from spark_mode.cli.context import CliOptions
from spark_mode.cli.events import Events
from spark_mode.planning.plan import Step
from tests.unit.test_progress import planned

WIDE = 100_000
BOTH = ("started", "finished")


@pytest.fixture
def spark() -> Iterator[Terminal]:
    with terminal(WIDE) as here:
        yield here


def told(here: Terminal, line: str) -> list[dict[str, Any]]:
    """Return what a command writes for programs."""
    return [json.loads(one) for one in here.type(f"spark-mode {line} --format jsonl").splitlines() if one.startswith("{")]


def names(events: list[dict[str, Any]]) -> list[str]:
    return [" ".join(map(str, filter(None, (one["event"], one.get("action"), one.get("subject"))))) for one in events]


def without_progress(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in events if one["event"] != "progress"]


def test_a_switch_tells_its_plan_each_step_and_its_end(spark: Terminal) -> None:
    events = without_progress(told(spark, "audio omni"))
    assert names(events) == [
        "planned",
        *(f"{event} {step}" for step in ("create omni", "await-release -", "start omni", "verify omni") for event in BOTH),
        "ended",
    ]
    plan, *_, end = events
    assert [step["id"] for step in plan["steps"]] == [1, 2, 3, 4]
    assert (end["outcome"], end["exit_code"], end["mode"]) == ("applied", 0, "audio omni")


def test_the_plan_of_a_switch_has_the_digest_that_was_shown(spark: Terminal) -> None:
    (shown,) = told(spark, "plan audio omni")
    first, *_ = told(spark, f"audio omni --expect {shown['digest']}")
    assert (first["event"], first["digest"]) == ("planned", shown["digest"])


def test_a_start_that_fails_tells_why_and_the_way_back_and_how_it_ended(spark: Terminal) -> None:
    told(spark, "audio omni")
    spark.crash("xtts")
    events = without_progress(told(spark, "audio xtts"))
    failed = next(one for one in events if one["event"] == "failed")
    assert (failed["action"], failed["subject"]) == ("start", "xtts")
    assert failed["reason"].startswith("xtts did not start")
    back = next(one for one in events if one["event"] == "rolling-back")
    assert "start omni" in [f"{step['action']} {step['subject']}" for step in back["steps"]]
    assert names(events)[names(events).index("rolling-back") :][-3:] == ["started verify omni", "finished verify omni", "ended"]
    assert (events[-1]["outcome"], events[-1]["exit_code"]) == ("rolled-back", 1)
    assert events[-1]["error"]["message"].startswith("xtts did not start")


@pytest.mark.parametrize(
    ("line", "outcome", "code"),
    [
        ("up coder32b --with llama3.1:70b", "refused", 4),
        ("audio omni --expect no-digest", "failed", 2),
        ("restore", "failed", 2),
    ],
)
def test_what_does_not_begin_tells_its_end_alone(spark: Terminal, line: str, outcome: str, code: int) -> None:
    (end,) = told(spark, line)
    assert (end["event"], end["outcome"], end["exit_code"], end["error"]["exit_code"]) == ("ended", outcome, code, code)


def test_what_only_looks_is_one_line_with_the_same_data(spark: Terminal) -> None:
    lines = spark.type("spark-mode status --format jsonl").splitlines()
    assert [json.loads(one) for one in lines] == [json.loads(spark.type("spark-mode status --format json"))]


class Followed:
    """Somebody who follows a switch at a clock of his own, and what was written for him."""

    def __init__(self, quiet: bool = False) -> None:
        self.cli_options, self.time, self.paper = CliOptions(), 100.0, io.StringIO()
        self.cli_options.quiet = quiet
        self.events = Events(self.cli_options, self.paper, lambda: self.time)
        self.steps = planned("audio omni", "training").steps

    @property
    def said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.paper.getvalue().splitlines()]

    def all(self) -> None:
        """Tell of everything that there is to tell."""
        step: Step = self.steps[3]
        self.events.waiting("audio omni, by ann")
        self.events.recovering("training was cut off")
        self.events.planned(planned("audio omni", "training"))
        self.events.started(4, step)
        self.events.progress(8 * 10**9, "loading")
        self.events.warned("careful")
        self.events.finished(4, step)
        self.events.started(4, step)
        self.events.failed("omni did not start: it crashed")
        self.events.rolling_back("omni did not start: it crashed", self.steps[:2])
        self.events.says("training runs")


def test_a_step_that_goes_on_is_told_of_once_a_second_and_only_when_something_changed() -> None:
    one = Followed()
    one.events.started(4, one.steps[3])
    for tenth in range(30):
        one.time += 0.1
        one.events.progress(8 * 10**9 + tenth, "loading")
    for line in "abcdefghij" * 3:
        one.time += 0.1
        one.events.progress(8 * 10**9, line)
    assert [said["event"] for said in one.said] == ["started", *["progress"] * 4]


def test_who_is_quiet_is_told_of_warnings_alone() -> None:
    one = Followed(quiet=True)
    one.all()
    assert names(one.said) == ["warned"]


def test_a_reader_that_went_away_ends_nothing() -> None:
    one = Followed()
    one.paper.close()
    one.all()
    assert one.paper.closed


def test_the_events_are_those_of_the_document_with_their_fields(spark: Terminal) -> None:
    one = Followed()
    one.all()
    written = (ROOT / "docs/commands.md").read_text().partition("## The events of a switch")[2].partition("\n## ")[0]
    rows = [re.findall(r"`([\w-]+)`", " ".join(row.split(" | ")[:2])) for row in written.splitlines() if row.startswith("| `")]
    documented = {event: {*fields} for event, *fields in rows}
    seen = {said["event"]: {*said} - {"event", "at"} for said in one.said}
    (end,) = told(spark, "restore")
    assert {**seen, "ended": {*end} - {"event", "at"}} == documented
    assert {"exit_code", "outcome"} <= told(spark, "audio omni")[-1].keys()
