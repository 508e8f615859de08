"""A switch of several machines, as somebody asks for it: their plans, the one question, and how it ended."""

import os
import re
import shlex
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from itertools import count
from typing import Any

from spark_mode.cli.best_effort_stream import BestEffortStream
from spark_mode.cli.context import CliOptions
from spark_mode.cli.show_fleet import stop_text, switch_text
from spark_mode.cli.switching import WITHOUT_END
from spark_mode.cli.verbs_for_several import ACTS, LOOK_SECONDS, LOOKS, SWITCHES
from spark_mode.errors import EngineUnavailable, Refused, SparkModeError, UsageFault
from spark_mode.fleet.before_names import before_names
from spark_mode.fleet.nodes import Node
from spark_mode.fleet.requesting import Asked, End, unanswered, why_not, worst
from spark_mode.fleet.said import as_list, as_number, as_object, as_text, data_in
from spark_mode.fleet.ssh import Answer, Door
from spark_mode.fleet.together import DROPPED, ask_all, exit_code, stop, switch
from spark_mode.lab.verbs import VERBS
from spark_mode.readable import readable

TRIES = 3
"""How often at most a plan is made anew that was another one under the lock, where nobody said how long to wait."""
NO_PLAN = "it answers something that is no plan"
DIGEST = r"[0-9a-f-]{1,200}"
"""That of a plan of another version, too: it is given back as it came."""


class SwitchOfNodes:
    """A verb that switches, with what follows it and the options that name the `lab`, on some machines."""

    def __init__(
        self,
        cli_options: CliOptions,
        door: Door,
        nodes: Sequence[Node],
        options: Mapping[str, Any],
        line: tuple[tuple[str, ...], str, tuple[str, ...]],
    ) -> None:
        self._cli_options, self._door, self._nodes, self._options = cli_options, door, nodes, options
        self._lab, self._verb, self._rest = line
        self._out = BestEffortStream(sys.stderr)
        self._asked: Asked | None = None

    @property
    def goes_on(self) -> bool:
        """Whether machines may be at it, whatever becomes of whoever asks."""
        return self._asked is not None and (self._verb == "stop" or self._asked.may_go)

    def do(self) -> None:
        """Do it, and show how it ended. Raises what refuses it."""
        wait = None if self._options["wait"] == WITHOUT_END else max(0.0, self._options["wait"])
        until = None if wait is None else time.monotonic() + wait
        digests, ends = dict[str, str](), tuple[End, ...]()
        for tried in count(1):
            plans, unplanned = self._plans()
            if self._options["anywhere"]:
                plans = dict(sorted(plans.items(), key=lambda one: cost(one[1]))[:1])
            before, digests = digests, {name: str(one["digest"]) for name, one in plans.items()}
            if digests == before:  # what was refused is no other plan that came meanwhile
                break
            self._agree(plans)
            ends = self._ended(digests, None if until is None else max(0.0, until - time.monotonic()))
            if not _may_be_another_plan(ends, self._verb) or (tried >= TRIES and until is not None and time.monotonic() >= until):
                break
        nodes = [one for one in self._nodes if one.name in {*digests, *unplanned}]
        ended = unplanned | {one.node: one for one in ends}
        ends = tuple(ended[one.name] for one in nodes if one.name in ended)
        self._cli_options.exit_code = exit_code(ends, nodes)
        request = next(as_text(one.get("request")) for one in plans.values()) or self._verb
        data = {
            "request": request,
            "nodes": {one.node: {key: said for key, said in one._asdict().items() if key != "node"} for one in ends},
        }
        names = None if self._verb == "stop" else [one.name for one in nodes]
        self._cli_options.say(data, lambda: switch_text(request, ends, names) if names else stop_text(request, ends))

    def _ended(self, digests: Mapping[str, str], wait: float | None) -> tuple[End, ...]:
        """Have those machines switch, by these plans, and return how it ended on each that was asked."""
        words = (*self._lab, self._verb, *self._rest)
        nodes = [one for one in self._nodes if one.name in digests]

        def make() -> Asked:
            self._asked = Asked(self._door, os.urandom(8).hex(), self._verb, words, time.monotonic, time.sleep, self._tell)
            return self._asked

        if self._verb == "stop":
            return stop(make, nodes, digests, wait, time.monotonic, time.sleep)
        return switch(make, nodes, digests, self._lab, wait, time.monotonic, time.sleep)

    def _plans(self) -> tuple[dict[str, dict[str, Any]], dict[str, End]]:
        """Return each machine's plan, and how it stands on those that are to stop and have none: what can stops all the same.

        Raises what refuses it on some; with --any those alone count that have a plan.
        """
        words = (*self._lab, "plan", *before_names((self._verb, *self._rest), "--format", "json"))
        answers = ask_all(self._door, self._nodes, words, LOOK_SECONDS)
        plans = {node.name: one for node, answer in answers.items() if (one := _plan(answer))}
        refused = {node: answer for node, answer in answers.items() if node.name not in plans}
        if not refused or (self._options["anywhere"] and plans):
            return plans, {}
        if self._verb == "stop" and plans:
            return plans, {node.name: _unplanned(node, answer) for node, answer in refused.items()}
        names = dict[str, list[str]]()
        for node, answer in refused.items():
            names.setdefault(why_not(node, answer) or NO_PLAN, []).append(node.name)
        said = "\n".join(f"{', '.join(found)}: {why}" for why, found in names.items())
        code = worst(refused.values()) or EngineUnavailable.exit_code
        hint = self._instead(code, refused if plans else ())
        error = SparkModeError(f"{said}\nNothing was touched on any machine.", hint)
        error.exit_code = code
        raise error

    def _instead(self, code: int, without: Collection[Node]) -> str | None:
        """Return what else may be asked, where some machines, not all, are `without` a plan."""
        from spark_mode.lab.suggestion import meant_by  # a mistake may take its time

        if code == Refused.exit_code:
            return "see each plan: add --dry-run"
        is_unknown = code == UsageFault.exit_code and self._verb not in VERBS
        if near := meant_by(self._verb, (*LOOKS, *SWITCHES, *ACTS)) if is_unknown else None:
            return f"if {near} is meant: spark-mode -H {shlex.quote(self._options['nodes'])} {near}"
        rest = ",".join([self._options["nodes"], *(f"!{node.name}" for node in without)])
        return f"leave it out: -H {shlex.quote(rest)}" if without else None

    def _agree(self, plans: Mapping[str, Mapping[str, Any]]) -> None:
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
        if self._options["no_input"] or (not terminal and self._verb == "up"):
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


def _plan(answer: Answer) -> dict[str, Any] | None:
    """Return the plan that a machine has made; None where it has none, or answers something else."""
    plan = data_in(answer.out) if answer.code == 0 else None
    return plan if plan and re.fullmatch(DIGEST, as_text(plan.get("digest"))) else None


def _unplanned(node: Node, answer: Answer) -> End:
    """Return how a stop stands on a machine that has no plan for it."""
    return End(node.name, "lost", message=NO_PLAN) if answer.code == 0 else unanswered(node, answer)
