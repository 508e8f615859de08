"""Whatever a machine answers, nothing of it is taken for what it is not, and nobody sees a traceback."""

import json
from typing import Any

import pytest

from spark_mode.errors import SparkModeError
from spark_mode.fleet.said import json_in
from spark_mode.fleet.ssh import Answer
from tests.unit.test_on_nodes import IDLE, PLAN, READY, Machines, agent, asks, data, ended

STRANGE: list[Any] = [None, True, 3, 10**400, float("nan"), "x", "2026-01-01", "\x1b[2J", [], [1], [[]], {}, {"a": 1}]
NOTHING = [
    Answer(0),
    Answer(0, "\x1b[2Jno JSON\x07"),
    Answer(0, "[" * 100_000),
    Answer(0, '{"a":' * 100_000),
    Answer(0, "{}"),
    Answer(0, "[]"),
    Answer(0, "3"),
    Answer(0, '{"agent": 1}'),
]


@pytest.mark.parametrize("answer", NOTHING)
def test_what_is_no_status_is_unknown_and_never_idle(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    assert asks(Machines({"a": {"status": answer}, "b": {"status": data(IDLE)}}), "status") == 6
    out = capsys.readouterr().out
    assert "a     unknown" in out
    assert "a: it answers something that is no status" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("answer", [one for one in NOTHING if not json_in(one.out) and one.out not in ("{}", "[]")])
@pytest.mark.parametrize("verb", ["check", "status"])
def test_what_is_no_json_is_no_success_for_a_program(verb: str, answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    assert asks(Machines({"a": {verb: answer}, "b": {verb: data(IDLE)}}), verb, format="json") == 6
    found = json.loads(capsys.readouterr().out)
    assert found["b"] == IDLE
    assert found["a"]["error"] == {"message": "it answers something that is no JSON", "hint": None, "exit_code": 6}


@pytest.mark.parametrize("verb", ["go", "back"])
@pytest.mark.parametrize(
    "answer", [agent(), agent(ended={}), agent(state="unknown"), Answer(137, errors="Killed"), Answer(127), Answer(0, "Bye")]
)
def test_what_says_no_end_once_its_word_was_given_is_unknown(
    verb: str, answer: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    other = READY | ({"go": ended(1)} if verb == "back" else {})
    assert asks(Machines({"a": READY | {verb: answer}, "b": other}), "training") == 6
    assert "what became of it on a is unknown" in capsys.readouterr().out


@pytest.mark.parametrize("key", ["mode", "since", "services", "memory", "violations", "interrupted", "switching", "held"])
def test_a_status_of_wrong_types_is_shown_as_far_as_it_is_one(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    for value in STRANGE:
        asks(Machines({"a": {"status": data(IDLE | {key: value})}}), "status")
        out = capsys.readouterr().out
        assert "\x1b" not in out, value
        assert "nan of" not in out, value


def test_so_is_one_whose_memory_or_services_are_strange(capsys: pytest.CaptureFixture[str]) -> None:
    for value in STRANGE:
        asks(Machines({"a": {"status": data(IDLE | {"memory": {"total_gb": value, "available_gb": value}})}}), "status")
        asks(Machines({"a": {"status": data(IDLE | {"services": [value, {"service": value}]})}}), "status")
        out = capsys.readouterr().out
        assert "\x1b" not in out, value
        assert "nan of" not in out, value


@pytest.mark.parametrize("answer", NOTHING)
def test_what_is_no_plan_has_nothing_begun_and_is_no_success(answer: Answer) -> None:
    machines = Machines({"a": READY, "b": READY | {"plan": answer}})
    with pytest.raises(SparkModeError, match="b: it answers something that is no plan") as refused:
        asks(machines, "training")
    assert refused.value.exit_code == 6
    assert machines.verbs() == []


@pytest.mark.parametrize("key", ["request", "steps", "preemptions", "long_runs", "budget"])
def test_a_plan_of_wrong_types_is_judged_as_far_as_it_is_one(key: str) -> None:
    for value in STRANGE:
        machines = Machines({"a": READY, "b": READY | {"plan": data(PLAN | {key: value})}})
        assert asks(machines, "training") == 0, value
        assert asks(machines, "training", anywhere=True) == 0, value


def test_so_is_one_whose_room_and_long_runs_are_strange() -> None:
    for value in STRANGE:
        asks(
            Machines({"a": READY | {"plan": data(PLAN | {"budget": {"remaining_gb": value}, "long_runs": [value]})}}), "training"
        )


@pytest.mark.parametrize("digest", [None, 3, "", "--format=x", "a" * 10**6, ["d"]])
def test_a_digest_that_is_none_is_never_given_back(digest: Any) -> None:
    machines = Machines({"a": READY | {"plan": data(PLAN | {"digest": digest})}})
    with pytest.raises(SparkModeError, match="no plan"):
        asks(machines, "training")


@pytest.mark.parametrize("key", ["exit_code", "outcome", "mode", "error", "note"])
@pytest.mark.parametrize("verb", ["--protocol=1", "go", "drop", "back"])
def test_an_end_of_wrong_types_is_no_success(key: str, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    for value in STRANGE:
        machines = Machines({"a": READY, "b": READY | {verb: ended(**{key: value})}, "c": READY | {"go": ended(1)}})
        assert asks(machines, "training") != 0, value
        printed = capsys.readouterr()
        assert "\x1b" not in printed.out + printed.err, value


@pytest.mark.parametrize("verb", ["--protocol=1", "go", "drop", "back"])
def test_an_error_of_wrong_types_is_shown_as_far_as_it_is_one(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    for value in STRANGE:
        asks(Machines({"a": READY | {verb: ended(error={"message": value, "hint": value})}}), "training")
        printed = capsys.readouterr()
        assert "\x1b" not in printed.out + printed.err, value


@pytest.mark.parametrize("verb", ["--protocol=1", "go"])
def test_an_answer_of_agent_that_is_none_is_no_success(verb: str) -> None:
    for answer in (*NOTHING, *(agent(ended=one) for one in STRANGE), *(agent(state=one) for one in STRANGE)):
        waits = (verb, answer.out) == ("--protocol=1", agent().out) or '"told"' in answer.out
        assert waits or asks(Machines({"a": READY, "b": READY | {verb: answer}}), "training") != 0, answer


@pytest.mark.parametrize("value", STRANGE, ids=repr)
def test_what_is_told_may_be_anything(value: Any, capsys: pytest.CaptureFixture[str]) -> None:
    class Tells(Machines):
        def ask(self, node: Any, words: Any, seconds: Any = None, told: Any = None) -> Answer:
            if told:
                for key in ("event", "action", "subject", "reason", "message"):
                    for event in ("started", "failed", "warned", "rolling-back"):
                        told(json.dumps({"told": {"event": event, key: value}}))
                told(json.dumps({"told": value}))
                told("[" * 100_000)
            return super().ask(node, words, seconds, told)

    assert asks(Tells({"a": READY}), "training") == 0
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("greeting", ["Welcome {to}", '{"mode": "lies"}', "[1,\nWelcome", "\x1b[2J{\n{\n[", '{"error": 1}'])
def test_what_a_login_prints_first_is_no_answer(greeting: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = Answer(0, f"{greeting}\n{json.dumps(IDLE, indent=2)}\n")
    assert asks(Machines({"a": {"status": said}}), "status") == 0
    assert "a     idle" in capsys.readouterr().out
    said = Answer(0, f"{greeting}\n{json.dumps(PLAN, indent=2)}\n")
    assert asks(Machines({"a": READY | {"plan": said}}), "training") == 0
