"""`spark-mode -H NODES VERB …`: the same command on several machines, each of which decides for itself.

It knows no lab: which modes there are is known there.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import click

from spark_mode.cli.context import FORMATS, CliOptions
from spark_mode.cli.naming_nodes import LONG_OPTION, OPTION
from spark_mode.cli.show_fleet import INDENT, UNKNOWN, Row, answers_text, row_of, rows_text
from spark_mode.cli.switch_of_nodes import SwitchOfNodes
from spark_mode.cli.switching import may_be_interrupted, wait_option
from spark_mode.cli.tables import THERE, terminal_width
from spark_mode.cli.verbs_for_several import ACT_SECONDS, ACTS, LOOK_SECONDS, LOOKS, SWITCHES, given, parts
from spark_mode.errors import EngineUnavailable, Interrupted, UsageFault
from spark_mode.fleet.before_names import NO_OPTIONS, before_names
from spark_mode.fleet.nodes import Node, chosen, known_fleet
from spark_mode.fleet.requesting import code_of, unanswered, why_not, worst
from spark_mode.fleet.said import data_in, json_in
from spark_mode.fleet.ssh import Answer, Door, Ssh
from spark_mode.fleet.together import ask_all
from spark_mode.lab.verbs import VERBS


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
        self._switch: SwitchOfNodes | None = None
        self._acts = False

    def do(self, words: Sequence[str]) -> None:
        """Do it. The exit code is 0 only where every machine has answered so. Raises Interrupted after Ctrl-C."""
        try:
            self._do(words)
        except KeyboardInterrupt:
            if self._acts or (self._switch and self._switch.goes_on):
                message = "interrupted; what was begun on the machines goes on there"
                raise Interrupted(message, "see it: spark-mode -H … status") from None
            raise Interrupted("interrupted; nothing was begun on any machine, and none is held any more") from None

    def _do(self, words: Sequence[str]) -> None:
        lab, verb, rest = parts(words, self._cli_options.options_of_all)
        if verb in VERBS and verb not in (*LOOKS, *SWITCHES, *ACTS):
            hint = f"ask it there: ssh -t {self._nodes[0].address} spark-mode {verb}"
            raise UsageFault(f"{verb} is for one machine at a time", hint)
        more = given(verb, self._options)
        if verb in (*LOOKS, *ACTS):
            self._acts = verb in ACTS or (verb == "calibrate" and "--write" in rest)
            line = before_names((*lab, verb, *rest), *more)
            if verb == "status":
                self._status(line)
            else:
                self._each(line, ACT_SECONDS if self._acts else LOOK_SECONDS)
        elif self._options["dry_run"]:
            self._each((*lab, "plan", verb, *rest), LOOK_SECONDS)
        else:
            self._switch = SwitchOfNodes(self._cli_options, self._door, self._nodes, self._options, (lab, verb, rest))
            self._switch.do()

    def _status(self, words: Sequence[str]) -> None:
        answers = ask_all(self._door, self._nodes, before_names(words, "--format", "json"), LOOK_SECONDS)
        answers = {node: _needs_json(one) for node, one in answers.items()} if self._cli_options.is_json else answers
        found = {node.name: data_in(one.out) for node, one in answers.items()}
        rows: list[Row] = [row_of(node.name, found[node.name], why_not(node, one)) for node, one in answers.items()]
        unknown = EngineUnavailable.exit_code if any(one.mode == UNKNOWN for one in rows) else 0
        self._cli_options.exit_code = worst(answers.values()) or unknown
        self._cli_options.say(_as_json(answers), lambda: rows_text(rows, terminal_width()))

    def _each(self, words: Sequence[str], seconds: float) -> None:
        is_json = self._cli_options.is_json
        answers = ask_all(self._door, self._nodes, before_names(words, *(("--format", "json") if is_json else ())), seconds)
        answers = {node: _needs_json(one) for node, one in answers.items()} if is_json else answers
        self._cli_options.exit_code = worst(answers.values())
        said = {node.name: (one.out, why_not(node, one)) for node, one in answers.items()}
        self._cli_options.say(_as_json(answers) if is_json else {}, lambda: answers_text(said))


def _as_json(answers: Mapping[Node, Answer]) -> dict[str, Any]:
    """Return what each machine has answered by its name; where it did not, the error."""
    return {
        node.name: found if (found := json_in(one.out)) is not None else {"error": _error(node, one)}
        for node, one in answers.items()
    }


def _error(node: Node, answer: Answer) -> dict[str, Any]:
    end = unanswered(node, answer)
    return {"message": end.message, "hint": end.hint, "exit_code": code_of(answer)}


def _needs_json(answer: Answer) -> Answer:
    """Return an answer to somebody who reads JSON: one that is none is a failure, whatever a machine says of it."""
    if answer.code == 0 and json_in(answer.out) is None:
        return Answer(EngineUnavailable.exit_code, errors="it answers something that is no JSON")
    return answer
