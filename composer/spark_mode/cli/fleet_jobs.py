"""`spark-mode fleet run`, `status`, `stop` and `resume`: jobs of a queue, beside what each machine says of itself."""

import os
import time
from pathlib import Path
from typing import Any

import click

from spark_mode.cli.completed_by import completed_by
from spark_mode.cli.context import TYPED_IN, CliOptions, output_options
from spark_mode.cli.fleet_slurm import lab_folder, needs_of, this_machine
from spark_mode.cli.tables import terminal_width
from spark_mode.cli.verb import Verb
from spark_mode.errors import EngineUnavailable, NeedsAttention, Refused, UsageFault
from spark_mode.fleet.nodes import Node, known_fleet
from spark_mode.fleet.requesting import told_by
from spark_mode.fleet.said import data_in
from spark_mode.fleet.ssh import Answer, Door

STATUS_SECONDS, RECOVER_SECONDS = 60.0, 3600.0


@click.command(
    cls=Verb,
    examples={
        "fleet run {end}": "Queue it; it begins where and when there is room",
        "fleet run {end} --after 41": "When that job has ended, however it did",
    },
)
@click.argument("mode", shell_complete=completed_by("mode"))
@click.argument("profile", required=False, shell_complete=completed_by("profile"))
@click.option("-N", "--nodes", type=click.IntRange(min=1), default=1, metavar="N", help="On so many machines together.")
@click.option("--after", metavar="ID", help="Only when that job has ended.")
@click.option("--lab", metavar="DIR", help="Where the lab is on the machines; else as here.")
@output_options
@click.pass_obj
def run(cli_options: CliOptions, /, mode: str, profile: str | None, nodes: int, after: str | None, lab: str | None) -> None:
    """Queue a MODE as a job of Slurm's.

    Its number is printed at once; ten seconds later it is looked for again.
    """
    from spark_mode.fleet.queueing import new_mark, options_of, require_known, script_of
    from spark_mode.fleet.slurm import SlurmPrograms
    from spark_mode.fleet.slurm_config import asked
    from spark_mode.planning.mode import mode_text
    from spark_mode.planning.request import to_mode

    if after is not None and not after.replace("_", "").isalnum():
        raise UsageFault(f'"{after}" is no number of a job', "see which there are: spark-mode fleet status")
    needs, rules = needs_of(cli_options), cli_options.rules()
    request = to_mode(rules, mode, profile)
    text = mode_text(rules, request.mode, request.profile or rules.modes[request.mode].choices[0])
    demand = needs.of(text)
    if demand is None:
        raise Refused(needs.left_out.get(text, f"{text} is in no partition"), f"see why: spark-mode plan {request}")
    slurm, mark = SlurmPrograms(), new_mark()
    folder = click.get_current_context().meta.get(TYPED_IN) or str(Path.cwd())
    script = script_of(str(request).split(" "), lab or lab_folder(cli_options), nodes)
    job = slurm.submit(script, options_of(text, asked(demand, needs), nodes, after, mark, folder))
    if not cli_options.is_json:
        click.echo(f"job {job}: {request}")
    known = require_known(slurm, job, mark, time.sleep)
    where = f" on {', '.join(known.nodes)}" if known.nodes else f" ({known.reason})" if known.reason != "None" else ""
    data = {"job": job, "request": str(request), "state": known.state, "nodes": list(known.nodes)}
    cli_options.say(data, lambda: f"job {job}: {known.state.lower()}{where}")


@click.command()
@output_options
@click.pass_obj
def status(cli_options: CliOptions) -> None:
    """Show the queue beside each machine's word.

    And where they differ: what the machine says of itself counts.
    """
    from spark_mode.cli.show_queue import queue_text
    from spark_mode.fleet.beside_slurm import differences
    from spark_mode.fleet.slurm import SlurmPrograms
    from spark_mode.fleet.together import at_once

    slurm = SlurmPrograms()
    jobs, nodes = slurm.jobs(), slurm.nodes()
    door, asked = _door(), [_node(one.name) for one in nodes]
    answers = at_once(asked, lambda one: door.ask(one, (*_lab(cli_options), "status", "--format", "json"), STATUS_SECONDS))
    statuses = {node.name: _data(answer) for node, answer in zip(asked, answers, strict=True)}
    found = list(differences(jobs, nodes, statuses))
    cli_options.exit_code = EngineUnavailable.exit_code if None in statuses.values() else 0
    data = {
        "jobs": [one.model_dump() for one in jobs],
        "nodes": {one.name: {"slurm": list(one.states), "reason": one.reason, "status": statuses[one.name]} for one in nodes},
        "differences": [{"message": message, "hint": hint} for message, hint in found],
    }
    cli_options.say(data, lambda: queue_text(jobs, nodes, statuses, found, terminal_width()))


@click.command()
@click.argument("job", metavar="ID")
@output_options
@click.pass_obj
def stop(cli_options: CliOptions, job: str) -> None:
    """End a job.

    What it runs is stopped as any stop does it, with the time that it has for its checkpoint.
    """
    from spark_mode.fleet.slurm import SlurmPrograms

    slurm = SlurmPrograms()
    known = next((one for one in slurm.jobs() if one.id == job), None)
    if known is None:
        raise UsageFault(f"no job {job} waits or runs", "see which there are: spark-mode fleet status")
    slurm.cancel(job)
    where = f" on {', '.join(known.nodes)}" if known.nodes else ""
    cli_options.say({"job": job, "state": known.state}, lambda: f"job {job} ({known.name}{where}) is being ended")


@click.command()
@click.argument("node", metavar="NODE")
@output_options
@click.pass_obj
def resume(cli_options: CliOptions, node: str) -> None:
    """Have Slurm give a machine work again.

    Once a switch that was cut off there is recovered, and no job of the past holds it.
    """
    from spark_mode.fleet.beside_slurm import left_behind
    from spark_mode.fleet.slurm import SlurmPrograms

    slurm, door, lab = SlurmPrograms(), _door(), _lab(cli_options)
    known = next((one for one in slurm.nodes() if one.name == node), None)
    if known is None:
        raise UsageFault(f"Slurm has no machine {node}", "see which there are: spark-mode fleet status")
    there = _node(node)
    _require(node, door.ask(there, (*lab, "recover"), RECOVER_SECONDS))
    seen = _data(door.ask(there, (*lab, "status", "--format", "json"), STATUS_SECONDS))
    if seen is None:
        raise EngineUnavailable(f"{node} does not say what runs there, so it is given no work", "ask it there: spark-mode status")
    left = left_behind(node, seen, slurm.jobs())
    for one in left:
        job = one.id if one.start is None else f"{one.id}:{one.start}"
        _require(node, door.ask(there, (*lab, "release", "--job", job), RECOVER_SECONDS))
    if known.has_to_be_resumed:
        slurm.resume(node)
    again = "again" if known.has_to_be_resumed else "as before"
    said = "".join(f"; what job {one.id} had left there is stopped" for one in left)
    cli_options.say({"node": node, "released": [one.id for one in left]}, lambda: f"{node} is given work {again}{said}")


def _require(node: str, answer: Answer) -> None:
    """Raise NeedsAttention where a machine has not done what it was asked, EngineUnavailable where nobody knows."""
    if answer.code is None:
        why = answer.errors or "the connection is lost"
        raise EngineUnavailable(f"{node} does not answer, so it is given no work: {why}", "when it does, ask again")
    if answer.code != 0:
        message = f"{node} is not as it should be, so it is given no work: {told_by(answer.errors)}"
        raise NeedsAttention(message, "see it there: spark-mode status")


def _door() -> Door:
    from spark_mode.fleet.here import HereToo
    from spark_mode.fleet.ssh import Ssh

    return HereToo((this_machine(),), Ssh())


def _node(name: str) -> Node:
    return known_fleet(os.environ).nodes.get(name) or Node(name=name)


def _lab(cli_options: CliOptions) -> tuple[str, ...]:
    """Return the option that names the lab on the machines: the folder that it has here, where there is one."""
    flags = cli_options.flags
    return ("-C", lab_folder(cli_options)) if not flags.files else ()


def _data(answer: Answer) -> dict[str, Any] | None:
    return data_in(answer.out) if answer.code == 0 else None
