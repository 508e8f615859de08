"""What `spark-mode -H` asks of machines, what it shows of their answers, and what it exits with."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
import pytest

from spark_mode.cli.anywhere import takes_value
from spark_mode.cli.context import CliOptions
from spark_mode.cli.main import cli, code_of
from spark_mode.cli.naming_nodes import asks_nodes
from spark_mode.cli.on_nodes import OnNodes
from spark_mode.cli.switch_of_nodes import cost
from spark_mode.cli.tables import THERE, terminal_width
from spark_mode.cli.verbs_for_several import ACT_SECONDS, ACTS, LOOK_SECONDS, LOOKS, OPTIONS
from spark_mode.errors import Interrupted, Refused, SparkModeError, UsageFault
from spark_mode.fleet.nodes import Node
from spark_mode.fleet.ssh import Answer, Told

LOST = Answer(None, errors="ssh: connect to host spark2 port 22: Connection timed out")
IDLE: dict[str, Any] = {"mode": "idle", "since": None, "services": [], "memory": {"total_gb": 128, "available_gb": 120.5}}
AUDIO = IDLE | {
    "mode": "audio omni",
    "services": [{"service": name} for name in "abcdef"],
    "violations": ["training runs beside omni"],
}
PLAN: dict[str, Any] = {"digest": "d", "steps": [1, 2], "preemptions": [], "long_runs": [], "budget": {"remaining_gb": 100}}
RUN = {"name": "training", "since": "2026-01-01T00:00:00Z"}
REFUSED = Answer(4, json.dumps({"refusal": {}}), "spark-mode: it does not fit\n  → stop something")


def data(found: Any) -> Answer:
    return Answer(0, f"Welcome\n{json.dumps(found, indent=2)}\n")


class Machines:
    """Answers by the machine and the verb; `asked` keeps what each was asked."""

    def __init__(self, answers: Mapping[str, Mapping[str, Answer]]) -> None:
        self.answers, self.asked = answers, list[tuple[str, ...]]()

    def ask(self, node: Node, words: Sequence[str], seconds: float | None = None, told: Told | None = None) -> Answer:
        self.asked.append((node.name, *words))
        known = self.answers[node.name]
        return next((known[word] for word in (*words[1:2], *words) if word in known), Answer(1, errors="not in this test"))

    def verbs(self) -> list[str]:
        return [" ".join(words[:3]) for _, *words in self.asked if words[0] == "agent"]


def agent(state: str = "told", **more: Any) -> Answer:
    return Answer(0, json.dumps({"agent": 1, "state": state, **more}))


def ended(code: int = 0, **more: Any) -> Answer:
    return agent(ended={"exit_code": code, "outcome": "applied" if not code else "failed", "mode": "training", **more})


READY = {"plan": data(PLAN), "--protocol=1": agent(), "go": ended(), "drop": ended(4), "back": ended(mode="idle")}


def asks(machines: Machines, *words: str, **options: Any) -> int:
    """Have machines asked; return the exit code."""
    usual = {"anywhere": False, "dry_run": False, "yes": False, "no_input": False, "wait": 0.0, "format": "table", "quiet": False}
    cli_options = CliOptions.of(usual | options)
    cli_options.options_of_all = takes_value(cli)
    nodes = [Node(name=name) for name in sorted(machines.answers)]
    OnNodes(cli_options, machines, nodes, usual | {"nodes": ",".join(sorted(machines.answers))} | options).do(words)
    return cli_options.exit_code


def test_status_is_a_line_for_each_machine_and_one_that_does_not_answer_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    machines = Machines({"spark1": {"status": data(AUDIO)}, "spark2": {"status": LOST}, "spark3": {"status": data(IDLE)}})
    assert asks(machines, "status") == 6
    assert capsys.readouterr().out.splitlines() == [
        "NODE    MODE        SINCE  FREE               SERVICES",
        "spark1  audio omni  -      120.5 of 128.0 GB  a, b, c, d and 2 more",
        "spark2  unknown     -      -                  -",
        "spark3  idle        -      120.5 of 128.0 GB  -",
        "spark1: AGAINST THE RULES: training runs beside omni",
        "spark2: ssh: connect to host spark2 port 22: Connection timed out",
    ]


def test_programs_are_given_each_machines_own_answer_or_why_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    machines = Machines({"spark1": {"status": data(IDLE)}, "spark2": {"status": LOST}})
    asks(machines, "status", format="json")
    found = json.loads(capsys.readouterr().out)
    assert found["spark1"] == IDLE
    assert found["spark2"]["error"]["exit_code"] == 6
    assert "timed out" in found["spark2"]["error"]["message"]


def test_a_list_stays_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    asks(Machines({"spark1": {"history": data([])}}), "history", format="json")
    assert json.loads(capsys.readouterr().out) == {"spark1": []}


def test_all_that_looks_is_shown_machine_by_machine_and_the_highest_exit_code_counts(capsys: pytest.CaptureFixture[str]) -> None:
    machines = Machines({"spark1": {"check": Answer(0, "all is well\n")}, "spark2": {"check": Answer(3, "a mistake\n", "")}})
    assert asks(machines, "check") == 3
    assert capsys.readouterr().out == "spark1:\n  all is well\n\nspark2:\n  a mistake\n  it exited with 3\n"


def test_a_switch_is_planned_begun_and_let_go_on_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    machines = Machines({"spark1": READY, "spark2": READY})
    assert asks(machines, "-C", "/srv/lab", "training", "--hold") == 0
    plans = [words for words in machines.asked if "plan" in words]
    assert [words[1:] for words in plans] == [("-C", "/srv/lab", "plan", "training", "--hold", "--format", "json")] * 2
    begun = next(words for words in machines.asked if "begin" in words)
    assert begun[-5:] == ("-C", "/srv/lab", "training", "--hold", "--expect=d")
    assert capsys.readouterr().out.splitlines()[-1] == "training: done on spark1, spark2"


def test_where_one_has_no_plan_nothing_is_begun_anywhere() -> None:
    machines = Machines({"spark1": READY, "spark2": READY | {"plan": REFUSED}})
    with pytest.raises(SparkModeError, match="spark2: it does not fit") as refused:
        asks(machines, "training")
    assert refused.value.exit_code == 4
    assert "Nothing was touched on any machine." in refused.value.message
    assert machines.verbs() == []


def test_one_that_does_not_answer_has_no_plan_and_is_unknown() -> None:
    machines = Machines({"spark1": READY, "spark2": READY | {"plan": LOST}})
    with pytest.raises(SparkModeError, match="unknown: ssh") as refused:
        asks(machines, "training")
    assert refused.value.exit_code == 6
    assert machines.verbs() == []


@pytest.mark.parametrize(
    ("verb", "options", "goes"),
    [
        ("training", {}, True),
        ("up", {}, False),
        ("up", {"yes": True}, True),
        ("training", {"no_input": True}, False),
        ("training", {"no_input": True, "yes": True}, True),
    ],
)
def test_a_long_run_is_stopped_as_on_one_machine_where_nobody_can_be_asked(
    verb: str, options: dict[str, bool], goes: bool
) -> None:
    machines = Machines({"spark1": READY, "spark2": READY | {"plan": data(PLAN | {"long_runs": [RUN]})}})
    if goes:
        assert asks(machines, verb, "x", **options) == 0
        return
    with pytest.raises(Refused, match="would stop training on spark2"):
        asks(machines, verb, "x", **options)
    assert machines.verbs() == []


def test_any_is_the_one_where_the_least_has_to_be_stopped() -> None:
    stops = data(PLAN | {"preemptions": [{"name": "omni"}]})
    machines = Machines(
        {
            "a": READY | {"plan": data(PLAN | {"long_runs": [RUN]})},
            "b": READY | {"plan": stops},
            "c": READY,
            "d": {"plan": REFUSED},
        }
    )
    assert asks(machines, "training", anywhere=True) == 0
    assert {words[0] for words in machines.asked if "agent" in words} == {"c"}


def test_any_is_refused_where_no_machine_can() -> None:
    machines = Machines({"a": {"plan": REFUSED}, "b": {"plan": REFUSED}})
    with pytest.raises(SparkModeError, match="a, b: it does not fit"):
        asks(machines, "training", anywhere=True)


def test_a_long_run_costs_more_than_all_else_and_nothing_to_do_the_least() -> None:
    least = PLAN | {"steps": []}
    stops = PLAN | {"preemptions": [{}, {}, {}]}
    tight = PLAN | {"budget": {"remaining_gb": 1}}
    ordered = [least, PLAN, tight, stops, PLAN | {"long_runs": [RUN]}]
    assert sorted(ordered, key=cost) == ordered


def test_a_dry_run_is_the_plan_of_each(capsys: pytest.CaptureFixture[str]) -> None:
    machines = Machines({"spark1": {"plan": Answer(0, "1  start  training\n")}})
    assert asks(machines, "training", dry_run=True) == 0
    assert machines.asked == [("spark1", "plan", "training")]
    assert "1  start  training" in capsys.readouterr().out


def test_a_stop_is_done_by_each_whatever_becomes_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    machines = Machines(
        {"spark1": READY | {"go": ended(mode="idle")}, "spark2": READY | {"go": ended(1, error={"message": "stuck"})}}
    )
    assert asks(machines, "stop") == 1
    assert "back" not in {words[2] for words in machines.asked if words[1] == "agent"}
    assert "spark1: idle\nspark2: stuck\nstop: done on spark1; not done on spark2\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (LOST, 6, "UNKNOWN: ssh: connect to host spark2 port 22: Connection timed out\nstop: done on spark1; unknown on spark2"),
        (data({}), 6, "UNKNOWN: it answers something that is no plan\nstop: done on spark1; unknown on spark2"),
        (REFUSED, 4, "it does not fit\n  → stop something\nstop: done on spark1; not done on spark2"),
    ],
)
def test_a_stop_is_done_by_those_that_can_where_another_one_has_no_plan(
    answer: Answer, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machines = Machines({"spark1": READY | {"go": ended(mode="idle")}, "spark2": {"plan": answer}})
    assert asks(machines, "stop") == code
    assert capsys.readouterr().out == f"spark1: idle\nspark2: {said}\n"
    assert asks(machines, "stop", format="json") == code
    assert json.loads(capsys.readouterr().out)["nodes"].keys() == {"spark1", "spark2"}
    with pytest.raises(SparkModeError, match="Nothing was touched"):
        asks(Machines({"spark2": {"plan": answer}}), "stop")


@pytest.mark.parametrize("verb", [*LOOKS, *ACTS])
def test_an_option_about_a_switch_is_refused_or_given_to_a_verb_that_has_it(verb: str) -> None:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    for option, name in OPTIONS.items():
        machines = Machines({"a": {verb: Answer(0, "{}")}})
        has_it = any(option in one.opts for one in command.params) or (verb == "plan" and option != "--any")
        if has_it:
            asks(machines, verb, **{name: 60.0 if name == "wait" else True})
            assert any(word.partition("=")[0] == option for word in machines.asked[0]), option
            continue
        with pytest.raises(UsageFault, match=f"{option} is nothing for {verb}"):
            asks(machines, verb, **{name: 60.0 if name == "wait" else True})
        assert machines.asked == [], option


@pytest.mark.parametrize("verb", ["stop", "restore"])
def test_what_each_machine_has_of_its_own_is_not_done_anywhere(verb: str) -> None:
    machines = Machines({"a": READY})
    with pytest.raises(UsageFault, match=f"--any is nothing for {verb}"):
        asks(machines, verb, anywhere=True)
    assert machines.asked == []


def on_a_line(monkeypatch: pytest.MonkeyPatch, machines: Machines, *line: str) -> int:
    """Have machines asked by what is typed; return the exit code."""
    monkeypatch.setattr(machines, "leave", lambda: None, raising=False)
    monkeypatch.setattr("spark_mode.cli.on_nodes.Ssh", lambda _: machines)
    monkeypatch.setenv("SPARK_MODE_FLEET", "")
    return code_of([*line], "spark-mode", CliOptions())


def test_a_dry_run_of_what_has_none_does_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    machines = Machines({"a": {"recover": Answer(0)}})
    assert on_a_line(monkeypatch, machines, "-H", "a", "recover", "--dry-run") == 2
    assert machines.asked == []
    assert "--dry-run is nothing for recover" in capsys.readouterr().err


def test_machines_may_be_named_more_than_once(monkeypatch: pytest.MonkeyPatch) -> None:
    machines = Machines({"a": {"version": Answer(0)}, "b": {"version": Answer(0)}, "c": {"version": Answer(0)}})
    assert on_a_line(monkeypatch, machines, "-H", "a", "version", "--on=c,b") == 0
    assert [words[0] for words in machines.asked] == ["a", "b", "c"]


def test_what_follows_two_dashes_is_no_option(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    machines = Machines({"a": {"budget": Answer(0, "[]")}})
    assert on_a_line(monkeypatch, machines, "-H", "a", "--format=json", "budget", "--", "--then", "--yes") == 0
    assert machines.asked == [("a", "budget", "--format", "json", "--", "--then", "--yes")]
    capsys.readouterr()


def test_a_screen_of_another_machine_has_the_width_that_is_left_here(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as there:
        there.setenv(THERE, "78")
        assert terminal_width(sys.stdout) == terminal_width() == 78
        assert terminal_width(sys.stderr) is None
        there.setenv(THERE, "wide")
        assert terminal_width() is None
    said: list[object] = []
    monkeypatch.setattr("spark_mode.cli.on_nodes.Ssh", said.append)
    monkeypatch.setattr("spark_mode.cli.on_nodes.terminal_width", lambda: 80)
    with pytest.raises(AttributeError):  # which None does not have
        code_of(["-H", "a", "map"], "spark-mode", CliOptions())
    assert said == [{"SPARK_MODE_COLUMNS": "78"}]


def test_machines_without_a_command_are_told_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert on_a_line(monkeypatch, Machines({"a": {}}), "-H", "a") == 2
    assert "-H needs a command for the machines" in capsys.readouterr().err


NO_MODE = Answer(2, errors='spark-mode: "stat" is not a switch; there are audio')


@pytest.mark.parametrize(
    ("verb", "plans", "said", "hint"),
    [
        ("training", {"a": data(PLAN), "b": REFUSED}, "b: it does not fit", "see each plan: add --dry-run"),
        ("training", {"a": data(PLAN), "b": LOST, "c": LOST}, "b, c: unknown: ssh", "leave it out: -H 'a,b,c,!b,!c'"),
        ("training", {"a": LOST, "b": LOST}, "a, b: unknown: ssh", None),
        ("stat", {"a": NO_MODE, "b": NO_MODE}, 'a, b: "stat" is not a switch', "if status is meant: spark-mode -H a,b status"),
        ("xyzzy", {"a": NO_MODE}, 'a: "stat" is not a switch', None),
    ],
)
def test_a_refusal_is_said_once_and_what_leads_on(verb: str, plans: dict[str, Answer], said: str, hint: str | None) -> None:
    with pytest.raises(SparkModeError) as refused:
        asks(Machines({name: {"plan": answer} for name, answer in plans.items()}), verb)
    assert refused.value.message.startswith(said)
    assert refused.value.message.count("\n") == 1 + said.startswith("b: it does not fit")
    assert refused.value.hint == hint


@pytest.mark.parametrize("code", [126, 200])
def test_an_exit_code_that_is_none_of_ours_is_a_failure(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    answer = Answer(code, errors="bash: spark-mode: Permission denied")
    assert asks(Machines({"a": {"history": answer}, "b": {"history": data([])}}), "history") == 1
    assert "Permission denied" in capsys.readouterr().out
    with pytest.raises(SparkModeError, match="Permission denied") as refused:
        asks(Machines({"a": {"plan": answer}}), "training")
    assert refused.value.exit_code == 1
    assert asks(Machines({"a": READY | {"--protocol=1": answer}}), "training") == 1


def test_figures_that_are_written_are_no_look() -> None:
    class Patient(Machines):
        def ask(self, node: Node, words: Sequence[str], seconds: float | None = None, told: Told | None = None) -> Answer:
            super().ask(node, words, seconds, told)
            assert seconds == (ACT_SECONDS if "--write" in words else LOOK_SECONDS)
            raise KeyboardInterrupt

    for words, said in (("calibrate",), "nothing was begun"), (("calibrate", "--write"), "goes on there"):
        with pytest.raises(Interrupted, match=said):
            asks(Patient({"a": {}}), *words)


@pytest.mark.parametrize("verb", ["page", "run", "init", "gate", "guard", "uninstall"])
def test_what_is_for_one_machine_says_where_to_ask_it(verb: str) -> None:
    with pytest.raises(UsageFault, match="one machine at a time") as refused:
        asks(Machines({"spark1": {}}), verb)
    assert refused.value.hint == f"ask it there: ssh -t spark1 spark-mode {verb}"


@pytest.mark.parametrize(
    "words", [("training", "--then", "restore"), ("training", "--then=restore"), ("training", "--expect", "d")]
)
def test_what_means_nothing_for_several_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageFault, match="is nothing for several machines"):
        asks(Machines({"spark1": READY}), *words)


@pytest.mark.parametrize("words", [(), ("--",), ("-C", "/srv")])
def test_without_a_command_it_is_a_mistake(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageFault, match="needs a command"):
        asks(Machines({"spark1": READY}), *words)


@pytest.mark.parametrize(
    ("line", "several"),
    [
        ("-H a status", True),
        ("status -Ha", True),
        ("--on a status", True),
        ("status --on=a,b", True),
        ("status", False),
        ("run -- ssh -H a", False),
        ("up only", False),
        ("--help", False),
    ],
)
def test_whether_a_line_names_machines(line: str, several: bool) -> None:
    assert asks_nodes(line.split()) == several


OTHER: dict[str, Any] = PLAN | {"digest": "e"}
LATE = ended(4, error={"message": "the plan is another one by now: it stops omni; nothing was touched"})


class Changing(Machines):
    """Answers one after the other, the last one for good, where a machine has a list of them."""

    def ask(self, node: Node, words: Sequence[str], seconds: float | None = None, told: Told | None = None) -> Answer:
        answer = super().ask(node, words, seconds, told)
        known: Any = self.answers[node.name]
        for word in (*words[1:2], *words):
            if isinstance(found := known.get(word), list):
                answer = found.pop(0) if len(found) > 1 else found[0]
                break
        return answer


def test_a_plan_that_is_another_one_by_its_turn_is_made_anew_and_agreed_to_again() -> None:
    one: Any = READY | {"plan": [data(PLAN), data(OTHER)], "--protocol=1": [LATE, agent()]}
    machines = Changing({"a": READY, "b": one})
    assert asks(machines, "training") == 0
    assert [words[-1] for words in machines.asked if "begin" in words] == ["--expect=d", "--expect=d", "--expect=d", "--expect=e"]
    one |= {"plan": [data(PLAN), data(OTHER | {"long_runs": [RUN]})], "--protocol=1": [LATE, agent()]}
    with pytest.raises(Refused, match="would stop training on b"):
        asks(Changing({"a": READY, "b": one}), "up", "x")


def test_a_refusal_is_none_of_a_plan_where_that_is_still_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    machines = Machines({"a": READY, "b": READY | {"--protocol=1": ended(4, error={"message": "it is held"})}})
    assert asks(machines, "training") == 4
    assert "b: it is held" in capsys.readouterr().out
    assert sum("begin" in words for words in machines.asked) == 2


def test_a_plan_that_changes_each_time_is_not_made_for_ever() -> None:
    plans: Any = [data(PLAN | {"digest": f"{number:x}"}) for number in range(20)]
    machines = Changing({"a": {"plan": plans, "--protocol=1": LATE, "drop": LATE}})
    assert asks(machines, "training") == 4
    assert sum("begin" in words for words in machines.asked) == 3


def test_a_stop_waits_for_a_busy_machine_where_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spark_mode.fleet.together.PAUSE_SECONDS", 0.0)
    busy = ended(5, error={"message": "another switch is running"})
    assert asks(Machines({"a": {"plan": data(PLAN), "--protocol=1": busy}}), "stop") == 5
    one: Any = {"plan": data(PLAN), "--protocol=1": [busy, busy, agent()], "go": ended(mode="idle")}
    assert asks(Changing({"a": one}), "stop", wait=60.0) == 0


class Interrupting(Machines):
    """Ctrl-C comes while a machine is asked something."""

    def __init__(self, at: str) -> None:
        super().__init__({"a": READY | {"status": data(IDLE), "recover": Answer(0)}, "b": READY})
        self._at = at

    def ask(self, node: Node, words: Sequence[str], seconds: float | None = None, told: Told | None = None) -> Answer:
        answer = super().ask(node, words, seconds, told)
        if self._at in words:
            raise KeyboardInterrupt
        return answer


@pytest.mark.parametrize(
    ("verb", "at", "begun"),
    [
        ("status", "status", False),
        ("training", "plan", False),
        ("training", "begin", False),
        ("training", "go", True),
        ("stop", "plan", False),
        ("stop", "begin", True),
        ("recover", "recover", True),
    ],
)
def test_ctrl_c_says_whether_something_was_begun_that_goes_on(verb: str, at: str, begun: bool) -> None:
    machines = Interrupting(at)
    with pytest.raises(Interrupted, match="goes on there" if begun else "nothing was begun on any machine"):
        asks(machines, verb)
    if (verb, at) == ("training", "begin"):
        assert [words[0] for words in machines.asked if "drop" in words] == ["a"]


def test_what_was_told_before_a_connection_was_lost_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    class Losing(Machines):
        def ask(self, node: Node, words: Sequence[str], seconds: float | None = None, told: Told | None = None) -> Answer:
            answer = super().ask(node, words, seconds, told)
            if "go" not in words or told is None:
                return answer
            events = ["one"] if self.verbs().count("agent go") == 1 else ["one", "two"]
            for event in events:
                told(json.dumps({"told": {"event": "warned", "message": event}}))
            return Answer(None, "lost", "lost") if len(events) == 1 else answer

    assert asks(Losing({"a": READY}), "training") == 0
    assert capsys.readouterr().err.splitlines() == ["a: one", "a: two"]


def test_a_stop_whose_plan_is_another_one_by_its_turn_is_planned_anew() -> None:
    one: Any = {"plan": [data(PLAN), data(OTHER)], "--protocol=1": [LATE, agent()], "go": ended(mode="idle")}
    assert asks(Changing({"a": READY, "b": one, "c": READY}), "stop") == 0


@pytest.mark.parametrize("verb", ["status", "training", "recover", "history"])
def test_a_machine_without_the_program_says_so_and_how_to_name_it(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    missing = Answer(127, errors="bash: line 1: spark-mode: command not found")
    machines = Machines({"a": dict.fromkeys(("status", "plan", "recover", "history"), missing)})
    if verb != "training":
        assert asks(machines, verb) == 3
        out = capsys.readouterr().out
        assert "there is no spark-mode on the PATH of ssh's commands there" in out
        assert "name the program in fleet.yaml: a: {command: PATH}" in out
        return
    with pytest.raises(SparkModeError, match="a: there is no spark-mode on the PATH") as refused:
        asks(machines, verb)
    assert refused.value.exit_code == 3


@pytest.mark.parametrize("errors", ["nobody: Command not found.", "x"])
def test_what_is_no_word_of_ours_is_said_as_it_is(errors: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert asks(Machines({"a": {"check": Answer(1, errors=errors)}}), "check") == 1
    assert errors in capsys.readouterr().out
