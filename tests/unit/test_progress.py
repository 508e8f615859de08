"""A switch on a terminal: each step is a row of its plan, and why one failed is told there, once."""

import re
from collections.abc import Callable
from contextlib import redirect_stderr

import pytest

from spark_mode.cli.ending import addresses, summary
from spark_mode.cli.progress import Lines, Screen
from spark_mode.cli.show_history import history_text
from spark_mode.lab.project import Project
from spark_mode.lab.service import Port, Service
from spark_mode.planning.plan import Plan
from spark_mode.planning.planner import plan
from spark_mode.planning.step_words import doing, rows_said
from spark_mode.reporting.history import Event
from spark_mode.switching.report import Report
from tests.audio_lab import CAPACITY, PROJECT, RULES, request, seen
from tests.unit.test_on_screen import Terminal

REASON = "omni did not start: it crashed and restarts (exit code 1)\n  last state: exited"


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a terminal of 80 columns, on which nothing is redrawn."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")


def planned(line: str = "audio omni", *active: str) -> Plan:
    return plan(request(line), PROJECT, RULES, seen(*active), CAPACITY)


def followed(watcher: Callable[[], Lines]) -> list[str]:
    """Have a switch fail at its start, and return the lines of it, without the time that each step took."""
    made, back, out = planned("audio omni", "training"), planned("training"), Terminal()
    with redirect_stderr(out), watcher() as one:
        one.names("lab     here")
        one.planned(made)
        for number, step in enumerate(made.steps[:3], 1):
            one.started(number, step)
            one.finished(number, step)
        one.started(4, made.steps[3])
        one.progress(8 * 10**9, "loading")
        one.failed(REASON)
        one.rolling_back(REASON, back.steps)
        one.started(1, back.steps[0])
        one.finished(1, back.steps[0])
    text = re.sub(r"\x1b\[[\d;?]*\w|[^\n]*\r", "", out.getvalue())
    return [re.sub(r" +\d+\.\d s", " TOOK", line) for line in text.splitlines() if line.strip()]


def test_each_step_is_a_row_of_its_plan_and_a_failure_stands_there_once() -> None:
    lines = followed(Screen)
    assert "✓  2  stop    training TOOK  training runs alone: it saturates the SMs and" in lines
    assert "✗  4  start   omni TOOK  it crashed and restarts (exit code 1)" in lines
    assert "".join(lines).count("it crashed and restarts") == 1
    assert lines.index("the way back:") == lines.index("✗  4  start   omni TOOK  it crashed and restarts (exit code 1)") + 1


def test_a_log_has_a_line_for_each_step_and_why_the_switch_goes_back() -> None:
    lines = followed(Lines)
    assert " 3  wait    for memory: omni needs 8.0 GB and 20.0 GB headroom; 100.0 GB are" in lines
    assert lines[lines.index("the way back:") - 1] == "not completed: omni did not start: it crashed and restarts (exit code 1)"


def test_a_reason_is_told_once_for_several_stops() -> None:
    rows = rows_said(planned("training", "xtts", "whisper", "ollama").steps)
    causes = [cause for _, action, _, cause in rows if action == "stop"]
    assert len(causes) == 3
    assert causes[0] == "training runs alone: it saturates the SMs and inference stalls"
    assert {cause.partition(": ")[2] for cause in causes[1:]} == {""}


def test_a_step_is_said_in_words_and_its_data_keeps_its_names() -> None:
    steps = planned("audio omni", "training").steps
    assert [doing(step) for step in steps] == ["create omni", "stop training", "wait for memory", "start omni", "check omni"]
    assert [step.action for step in steps] == ["create", "stop", "await-release", "start", "verify"]
    said = {action: cause for _, action, _, cause in rows_said(steps)}
    assert said["create"] == "only the container; nothing starts yet"
    assert said["check"] == "that it is healthy and nothing of training runs"


def report(request_: str, **more: object) -> Report:
    return Report.model_validate({"request": request_, "outcome": "applied", "mode": "custom", "seconds": 3.0, **more})


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (report("up whisper", kept=("omni",)), "whisper runs beside omni (3.0 s)"),
        (report("up whisper f5 --with devstral"), "whisper, f5, devstral run (3.0 s)"),
        (report("audio xtts --with a --with b"), "audio xtts with a, b runs (3.0 s)"),
        (report("stop whisper --alone", kept=("omni",)), "whisper is stopped (3.0 s)"),
        (report("restore", mode="idle"), "nothing runs, as before (3.0 s)"),
        (
            report("training", outcome="recovered", mode="training", note="it was finished"),
            "(3.0 s): it was finished\nnow: training",
        ),
    ],
)
def test_the_end_of_a_switch_is_a_sentence_about_what_runs(ended: Report, said: str) -> None:
    assert summary(ended).endswith(said)


def test_where_what_was_asked_for_is_reached_stands_below_the_end() -> None:
    ports = {
        "page": (Port(number=53, protocol="udp"), Port(number=8080, address="0.0.0.0")),  # noqa: S104 - as a file may say it
        "omni": (Port(number=8091, address="127.0.0.1"), Port(number=9000)),
        "helper": (),
    }
    project = Project(name="lab", services={name: Service(name=name, ports=of) for name, of in ports.items()})
    assert list(addresses(report("chat", target=("helper", "page", "omni", "gone")), project)) == [
        "  → page: localhost:8080",
        "  → omni: 127.0.0.1:8091",
    ]


@pytest.mark.parametrize(
    ("outcome", "note", "said"),
    [
        ("applied", None, "done"),
        (
            "refused",
            "you said no, so training goes on; nothing was touched",
            "you said no, so training goes on; nothing was touched",
        ),
        ("refused", "up omni: omni and training exclude each other", "refused: omni and training exclude each other"),
        (
            "interrupted",
            "interrupted\nWhat ran before runs again: training.",
            "interrupted: What ran before runs again: training.",
        ),
    ],
)
def test_the_history_says_how_it_ended_and_nothing_twice(outcome: str, note: str | None, said: str) -> None:
    event = Event(at="2026-11-28T10:00:00+00:00", request="up omni", by="ann", outcome=outcome, seconds=1.0, note=note)
    assert history_text([event]).endswith(said)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.04, "0.0 s"), (599.94, "599.9 s"), (600.0, "10 min"), (8040.0, "2 h 14 min"), (None, "-")]
)
def test_the_history_says_how_long_something_took_in_the_units_that_people_use(seconds: float | None, said: str) -> None:
    event = Event(at="2026-11-28T10:00:00+00:00", request="stop", by="ann", outcome="applied", seconds=seconds)
    assert f"  {said}  done" in history_text([event])
