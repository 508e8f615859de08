"""`spark-mode -H NODES VERB …`: the same command on several machines, each of which decides for itself.

It knows no lab: which modes there are is known there.
"""

import os
import re
import shlex
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from itertools import count
from typing import Any

import click

from spark_mode.cli.anywhere import to_the_front
from spark_mode.cli.best_effort_stream import BestEffortStream
from spark_mode.cli.context import FORMATS, CliOptions
from spark_mode.cli.naming_nodes import LONG_OPTION, OPTION
from spark_mode.cli.show_fleet import INDENT, UNKNOWN, Row, answers_text, row_of, rows_text, stop_text, switch_text
from spark_mode.cli.switching import WITHOUT_END, may_be_interrupted, wait_option
from spark_mode.cli.tables import THERE, terminal_width
from spark_mode.errors import EngineUnavailable, Interrupted, Refused, SparkModeError, UsageFault
from spark_mode.fleet.before_names import NO_OPTIONS, before_names, options_in
from spark_mode.fleet.nodes import Node, chosen, known_fleet
from spark_mode.fleet.requesting import ABSENT_CODE, Asked, End, unanswered
from spark_mode.fleet.said import as_exit_code, as_list, as_number, as_object, as_text, data_in, json_in
from spark_mode.fleet.ssh import ABSENT, Answer, Door, Ssh
from spark_mode.fleet.together import DROPPED, at_once, exit_code, stop, switch
from spark_mode.lab.verbs import VERBS
from spark_mode.readable import readable

LOOKS = ("status", "plan", "budget", "matrix", "map", "history", "check", "version", "rules", "calibrate", "help")
SWITCHES = ("to", "up", "stop", "restore")
ACTS = ("recover", "release")
"""Verbs that are the same on several machines: what looks, what switches all of them or none, and what acts on each by itself."""
OPTIONS = {"--any": "anywhere", "--dry-run": "dry_run", "--yes": "yes", "--no-input": "no_input", "--wait": "wait"}
"""Options that are about a switch, and how they are called here."""
OF_OTHERS = {"plan": ("--dry-run", "--yes", "--no-input", "--wait"), "recover": ("--wait",)}
"""Which of them another verb has, too: it is given them."""
NOT_ANYWHERE = ("stop", "restore")
"""Switches that each machine has its own of: there is no choosing one for them."""
LOOK_SECONDS, ACT_SECONDS = 120.0, 3600.0
TRIES = 3
"""How often at most a plan is made anew that was another one under the lock, where nobody said how long to wait."""
NO_PLAN = "it answers something that is no plan"
DIGEST = r"[0-9a-f-]{1,200}"
"""That of a plan of another version, too: it is given back as it came."""
_REFUSED = {"--then": "it stays until a run has ended: ask the machine itself", "--expect": "each machine has a plan of its own"}


class KeepsDashes(click.Command):
    """A command that is given the `--` of another one, too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options: the first `--` ends that, and a second one after it is a word."""
        return super().parse_args(ctx, [*before_names(args, NO_OPTIONS)] if NO_OPTIONS in args else args)


@click.command(
    cls=KeepsDashes,
    options_metavar="-H NODES [OPTIONS]",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]},
)
@click.option(
    OPTION,
    LONG_OPTION,
    "nodes",
    required=True,
    multiple=True,
    metavar="NODES",
    help="Machines, groups of them, or all; with commas.",
)
@click.option("--any", "anywhere", is_flag=True, help="A switch of the one machine where the least has to be stopped for it.")
@click.option("--dry-run", is_flag=True, help="Show each machine's plan and change nothing.")
@click.option("-y", "--yes", is_flag=True, help="Agree to stopping a long run, such as a training.")
@click.option("--no-input", is_flag=True, help="Ask nothing, and refuse what would be asked about.")
@wait_option
@click.option("--format", type=click.Choice(FORMATS[:2]), default="table", help="How to print results.")
@click.option("--quiet", is_flag=True, help="No progress; only results, warnings and errors.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="COMMAND [ARGS]…")
@click.pass_obj
def on_nodes(cli_options: CliOptions, /, nodes: tuple[str, ...], words: tuple[str, ...], **options: Any) -> None:
    """Have several machines do a command, over your own ssh, each by its own rules and in its own lab.

    A switch is done by all of them or by none: first each one takes its lock and makes its plan, then all carry it out. What
    looks is shown machine by machine; one that does not answer is unknown, never idle.

    Which machines there are, and groups of them, may be written down: spark-mode fleet init.
    """
    cli_options.take({"format": options["format"], "quiet": options["quiet"]})
    may_be_interrupted()
    door, options["nodes"] = Ssh({THERE: f"{width - INDENT}"} if (width := terminal_width()) else {}), ",".join(nodes)
    try:
        OnNodes(cli_options, door, chosen(options["nodes"], known_fleet(os.environ)), options).do(words)
    finally:
        door.leave()


class OnNodes:
    """One command on some machines."""

    def __init__(self, cli_options: CliOptions, door: Door, nodes: Sequence[Node], options: Mapping[str, Any]) -> None:
        self._cli_options, self._door, self._nodes, self._options = cli_options, door, tuple(nodes), options
        self._out = BestEffortStream(sys.stderr)
        self._asked: Asked | None = None
        self._acts = False

    def do(self, words: Sequence[str]) -> None:
        """Do it. The exit code is 0 only where every machine has answered so. Raises Interrupted after Ctrl-C."""
        try:
            self._do(words)
        except KeyboardInterrupt:
            if self._acts or (self._asked and self._asked.may_go):
                message = "interrupted; what was begun on the machines goes on there"
                raise Interrupted(message, "see it: spark-mode -H … status") from None
            raise Interrupted("interrupted; nothing was begun on any machine, and none is held any more") from None

    def _do(self, words: Sequence[str]) -> None:
        lab, verb, rest = _parts(words, self._cli_options.options_of_all)
        if wrong := next((one for one in options_in(rest) if one.partition("=")[0] in _REFUSED), None):
            raise UsageFault(f"{wrong} is nothing for several machines", _REFUSED[wrong.partition("=")[0]])
        if verb in VERBS and verb not in (*LOOKS, *SWITCHES, *ACTS):
            hint = f"ask it there: ssh -t {self._nodes[0].address} spark-mode {verb}"
            raise UsageFault(f"{verb} is for one machine at a time", hint)
        given = self._given(verb)
        if verb in (*LOOKS, *ACTS):
            self._acts = verb in ACTS or (verb == "calibrate" and "--write" in rest)
            line = before_names((*lab, verb, *rest), *given)
            if verb == "status":
                self._status(line)
            else:
                self._each(line, ACT_SECONDS if self._acts else LOOK_SECONDS)
        elif self._options["dry_run"]:
            self._each((*lab, "plan", verb, *rest), LOOK_SECONDS)
        else:
            self._switch(lab, verb, rest)

    def _given(self, verb: str) -> list[str]:
        """Return the options about a switch that were given, as words. Raises UsageFault for one that means nothing to a verb."""
        given = [option for option, name in OPTIONS.items() if self._options[name]]
        for one in given:
            if verb in (*LOOKS, *ACTS) and one not in OF_OTHERS.get(verb, ()):
                raise UsageFault(f"{one} is nothing for {verb}", "it belongs to what switches: a mode, to, up, stop and restore")
            if one == "--any" and verb in NOT_ANYWHERE:
                raise UsageFault(f"{one} is nothing for {verb}", "it is for what may run anywhere; name the machine: -H NAME")
        return [f"--wait={self._options['wait']:g}" if one == "--wait" else one for one in given]

    def _status(self, words: Sequence[str]) -> None:
        answers = self._answers(before_names(words, "--format", "json"), LOOK_SECONDS)
        answers = {node: _needs_json(one) for node, one in answers.items()} if self._cli_options.is_json else answers
        found = {node.name: data_in(one.out) for node, one in answers.items()}
        rows: list[Row] = [row_of(node.name, found[node.name], _why_not(node, one)) for node, one in answers.items()]
        unknown = EngineUnavailable.exit_code if any(one.mode == UNKNOWN for one in rows) else 0
        self._cli_options.exit_code = _worst(answers.values()) or unknown
        self._cli_options.say(_as_json(answers), lambda: rows_text(rows, terminal_width()))

    def _each(self, words: Sequence[str], seconds: float) -> None:
        is_json = self._cli_options.is_json
        answers = self._answers(before_names(words, *(("--format", "json") if is_json else ())), seconds)
        answers = {node: _needs_json(one) for node, one in answers.items()} if is_json else answers
        self._cli_options.exit_code = _worst(answers.values())
        said = {node.name: (one.out, _why_not(node, one)) for node, one in answers.items()}
        self._cli_options.say(_as_json(answers) if is_json else {}, lambda: answers_text(said))

    def _answers(self, words: Sequence[str], seconds: float) -> dict[Node, Answer]:
        """Ask all of them at once."""
        answers = at_once(self._nodes, lambda node: self._door.ask(node, words, seconds))
        return dict(zip(self._nodes, answers, strict=True))

    def _switch(self, lab: Sequence[str], verb: str, rest: Sequence[str]) -> None:
        wait = None if self._options["wait"] == WITHOUT_END else max(0.0, self._options["wait"])
        until = None if wait is None else time.monotonic() + wait
        digests, ends = dict[str, str](), tuple[End, ...]()
        for tried in count(1):
            plans, unplanned = self._plans(lab, verb, rest)
            if self._options["anywhere"]:
                plans = dict(sorted(plans.items(), key=lambda one: cost(one[1]))[:1])
            before, digests = digests, {name: str(one["digest"]) for name, one in plans.items()}
            if digests == before:  # what was refused is no other plan that came meanwhile
                break
            self._agree(plans, verb)
            ends = self._ended(lab, verb, rest, digests, None if until is None else max(0.0, until - time.monotonic()))
            if not _may_be_another_plan(ends, verb) or (tried >= TRIES and until is not None and time.monotonic() >= until):
                break
        nodes = [one for one in self._nodes if one.name in {*digests, *unplanned}]
        ended = unplanned | {one.node: one for one in ends}
        ends = tuple(ended[one.name] for one in nodes if one.name in ended)
        self._cli_options.exit_code = exit_code(ends, nodes)
        request = next(as_text(one.get("request")) for one in plans.values()) or verb
        data = {"request": request, "nodes": {one.node: dict([*one._asdict().items()][1:]) for one in ends}}
        names = [one.name for one in nodes]
        self._cli_options.say(data, lambda: stop_text(request, ends) if verb == "stop" else switch_text(request, ends, names))

    def _ended(
        self, lab: Sequence[str], verb: str, rest: Sequence[str], digests: Mapping[str, str], wait: float | None
    ) -> tuple[End, ...]:
        """Have those machines switch, by these plans, and return how it ended on each that was asked."""
        words, nodes = (*lab, verb, *rest), [one for one in self._nodes if one.name in digests]

        def make() -> Asked:
            self._asked = Asked(self._door, os.urandom(8).hex(), verb, words, time.monotonic, time.sleep, self._tell)
            return self._asked

        if verb == "stop":
            self._acts = True
            return stop(make, nodes, digests, wait, time.monotonic, time.sleep)
        return switch(make, nodes, digests, lab, wait, time.monotonic, time.sleep)

    def _plans(self, lab: Sequence[str], verb: str, rest: Sequence[str]) -> tuple[dict[str, dict[str, Any]], dict[str, End]]:
        """Return each machine's plan, and how it stands on those that are to stop and have none: what can stops all the same.

        Raises what refuses it on some; with --any those alone count that have a plan.
        """
        answers = self._answers((*lab, "plan", *before_names((verb, *rest), "--format", "json")), LOOK_SECONDS)
        plans = {node.name: one for node, answer in answers.items() if (one := _plan(answer))}
        refused = {node: answer for node, answer in answers.items() if node.name not in plans}
        if not refused or (self._options["anywhere"] and plans):
            return plans, {}
        if verb == "stop" and plans:
            return plans, {node.name: _unplanned(node, answer) for node, answer in refused.items()}
        names = dict[str, list[str]]()
        for node, answer in refused.items():
            names.setdefault(_why_not(node, answer) or NO_PLAN, []).append(node.name)
        said = "\n".join(f"{', '.join(found)}: {why}" for why, found in names.items())
        code = _worst(refused.values()) or EngineUnavailable.exit_code
        hint = self._instead(verb, code, refused if plans else ())
        error = SparkModeError(f"{said}\nNothing was touched on any machine.", hint)
        error.exit_code = code
        raise error

    def _instead(self, verb: str, code: int, without: Collection[Node]) -> str | None:
        """Return what else may be asked, where some machines, not all, are `without` a plan."""
        from spark_mode.lab.suggestion import meant_by  # a mistake may take its time

        if code == Refused.exit_code:
            return "see each plan: add --dry-run"
        near = meant_by(verb, (*LOOKS, *SWITCHES, *ACTS)) if verb not in VERBS and code == UsageFault.exit_code else None
        if near:
            return f"if {near} is meant: spark-mode -H {shlex.quote(self._options['nodes'])} {near}"
        rest = ",".join([self._options["nodes"], *(f"!{node.name}" for node in without)])
        return f"leave it out: -H {shlex.quote(rest)}" if without else None

    def _agree(self, plans: Mapping[str, Mapping[str, Any]], verb: str) -> None:
        """Ask the one question, for all machines at once, before anything is locked. Raises Refused."""
        from spark_mode.cli.progress import ask  # which knows plans, and takes its time; what looks has none
        from spark_mode.planning.plan import StoppedTraining

        long_runs = [
            StoppedTraining(
                name=f"{as_text(run.get('name'))} on {name}", service=as_text(run.get("name")), since=as_text(run.get("since"))
            )
            for name, plan in plans.items()
            for run in map(as_object, as_list(plan.get("long_runs")))
        ]
        if not long_runs or self._options["yes"]:
            return
        names = ", ".join(one.name for one in long_runs)
        terminal = self._out.isatty() and BestEffortStream(sys.stdin).isatty()
        if self._options["no_input"] or (not terminal and verb == "up"):
            raise Refused(f"this would stop {names}, which runs", "add --yes to agree to that")
        if terminal and not ask(tuple(long_runs)):
            raise Refused(f"you said no, so {names} goes on; nothing was touched")

    def _tell(self, node: str, event: Mapping[str, Any]) -> None:
        """Show what happens on a machine."""
        from spark_mode.planning.step_words import ACTIONS, SUBJECTS  # as in _agree

        action, subject = as_text(event.get("action")), as_text(event.get("subject"))
        said = {
            "started": f"{ACTIONS.get(action, action)} {SUBJECTS.get(action, subject)}",
            "failed": as_text(event.get("reason")).partition("\n")[0],
            "warned": as_text(event.get("message")),
            "rolling-back": f"goes back: {as_text(event.get('reason')).partition(chr(10))[0]}",
        }.get(as_text(event.get("event")), "")
        if said and (not self._cli_options.quiet or event.get("event") == "warned"):
            self._out.write(f"{node}: {readable(said)}\n")
            self._out.flush()


def cost(plan: Mapping[str, Any]) -> tuple[int, int, int, float]:
    """Return what a switch costs by its plan: the long runs that it stops, what else, its steps, and the memory that is left."""
    long_runs, stops, steps = (len(as_list(plan.get(name))) for name in ("long_runs", "preemptions", "steps"))
    return long_runs, stops, steps, -(as_number(as_object(plan.get("budget")).get("remaining_gb")) or 0.0)


def _may_be_another_plan(ends: Sequence[End], verb: str) -> bool:
    """Whether a refusal may be one of a plan that is another one by now, and nothing but a stop was done anywhere."""
    *others, last = ends
    if verb == "stop":
        return any(one.code == Refused.exit_code and one.state == "ended" for one in ends)
    return last.code == Refused.exit_code and last.state == "ended" and all(one.outcome == DROPPED for one in others)


def _parts(words: Sequence[str], options: Mapping[str, bool]) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """Return the options that name the lab there, the verb, and what follows it. Raises UsageFault where there is no verb."""
    left, lab = to_the_front(words, options), list[str]()
    while left and left[0].startswith("-") and left[0] != NO_OPTIONS:
        lab.append(left.pop(0))
        if options.get(lab[-1]) and left:
            lab.append(left.pop(0))
    if not left or left[0] == NO_OPTIONS:
        raise UsageFault("-H needs a command for the machines", "such as: spark-mode -H all status")
    return tuple(lab), left[0], tuple(left[1:])


def _plan(answer: Answer) -> dict[str, Any] | None:
    """Return the plan that a machine has made; None where it has none, or answers something else."""
    plan = data_in(answer.out) if answer.code == 0 else None
    return plan if plan and re.fullmatch(DIGEST, as_text(plan.get("digest"))) else None


def _as_json(answers: Mapping[Node, Answer]) -> dict[str, Any]:
    """Return what each machine has answered by its name; where it did not, the error."""
    return {
        node.name: found
        if (found := json_in(one.out)) is not None
        else {"error": {"message": _why_not(node, one), "hint": None, "exit_code": _code(one)}}
        for node, one in answers.items()
    }


def _needs_json(answer: Answer) -> Answer:
    """Return an answer to somebody who reads JSON: one that is none is a failure, whatever a machine says of it."""
    if answer.code == 0 and json_in(answer.out) is None:
        return Answer(EngineUnavailable.exit_code, errors="it answers something that is no JSON")
    return answer


def _unplanned(node: Node, answer: Answer) -> End:
    """Return how a stop stands on a machine that has no plan for it."""
    return End(node.name, "lost", message=NO_PLAN) if answer.code == 0 else unanswered(node, answer)


def _why_not(node: Node, answer: Answer) -> str:
    """Return why a machine has not done what was asked, and what to do about it; nothing where it has."""
    if answer.code == 0:
        return ""
    end = unanswered(node, answer)
    said = f"unknown: {end.message}" if end.state == "lost" else end.message
    return f"{said}\n  → {end.hint}" if end.hint else said


def _worst(answers: Collection[Answer]) -> int:
    """Return 6 where a machine is unknown, else the highest exit code."""
    return EngineUnavailable.exit_code if any(one.code is None for one in answers) else max(map(_code, answers), default=0)


def _code(answer: Answer) -> int:
    if answer.code is None:
        return EngineUnavailable.exit_code
    return ABSENT_CODE if answer.code == ABSENT else as_exit_code(answer.code)
