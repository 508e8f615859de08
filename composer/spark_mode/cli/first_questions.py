"""The questions of `spark-mode init`, each with a default: what no file can tell, and no more."""

import sys
from collections.abc import Sequence

import click

from spark_mode.cli.first_tables import shortened, sizes_table
from spark_mode.cli.tables import terminal_width, within
from spark_mode.errors import Interrupted
from spark_mode.init.answers import Answers, with_answers
from spark_mode.init.limits import above_the_limits, advice, raised
from spark_mode.init.propose import Proposal, propose
from spark_mode.init.survey import Machine, Survey
from spark_mode.init.tables import TRAINING
from spark_mode.init.together import FITS, together
from spark_mode.lab.size import GB, parse_size


def chosen(projects: Sequence[str]) -> str:
    """Ask which of several projects it is to be; the first where nothing is answered. Raises Interrupted at Ctrl-C."""
    while True:
        said = _ask(f"Which project? {', '.join(projects)}", projects[0])
        if said in projects:
            return said
        _tell(f"there is no {said}")


def answered(seen: Survey, machine: Machine) -> Answers:
    """Ask on the terminal, and return what was answered. The end of the input is a default. Raises Interrupted at Ctrl-C."""
    proposal = propose(seen)
    click.echo(sizes_table(seen, proposal, terminal_width(sys.stderr)), err=True)
    answers = Answers(sizes=_sizes(proposal))
    sized = with_answers(seen, answers)
    answers = answers._replace(apart=_apart(sized, propose(sized)))
    answers = answers._replace(long_runs=_long_runs(proposal))
    placed = with_answers(seen, answers)
    above = above_the_limits(placed, propose(placed), machine.rules)
    if above and (limits := raised(above, machine.rules, machine.memory)):
        for line in advice(above):
            _tell(line)
        words = ", ".join(f"{key} {size / GB:.0f} GB" for key, size in limits.items())
        if _ask(f"Raise the limits ({words})? y/n", "n").lower().startswith("y"):
            answers = answers._replace(limits=limits)
    return answers


def _sizes(proposal: Proposal) -> dict[str, int]:
    known = {one.name for one in proposal.workloads}
    while True:
        said = _ask("Are these sizes right? Enter, or NAME=8GB …", "")
        try:
            found = {name: parse_size(size) for name, _, size in (one.rpartition("=") for one in said.split())}
        except ValueError as error:
            _tell(str(error))
            continue
        if unknown := [name for name in found if name not in known]:
            _tell(f"there is no {', '.join(unknown)}")
            continue
        return found


def _apart(seen: Survey, proposal: Proposal) -> tuple[tuple[str, str], ...]:
    known = {one.name for one in proposal.workloads}
    for verdict, several in together(seen, proposal).items():
        if verdict != FITS:
            _tell(f"  [x] {shortened(several, ', ', 6)}: {verdict.removeprefix('no: ')}")
    while True:
        words = _ask("What else must never run together? Enter, or NAME+NAME …", "").split()
        pairs = [(word.partition("+")[0], word.partition("+")[2]) for word in words]
        if all({*pair} <= known and len({*pair}) == 2 for pair in pairs):
            return tuple(pairs)
        _tell(f"write two of {', '.join(sorted(known))}, with a + between them")


def _long_runs(proposal: Proposal) -> frozenset[str]:
    known = {one.name for one in proposal.workloads if not one.host}
    default = [one.name for one in proposal.workloads if one.class_ == TRAINING]
    while True:
        said = _ask("Which is a long run that is only stopped if you agree? NAME …, or none", " ".join(default) or "none")
        names = frozenset(said.split()) - {"none"}
        if names <= known:
            return names
        _tell(f"there is no {', '.join(sorted(names - known))}")


def _tell(text: str) -> None:
    click.echo(within(text, terminal_width(sys.stderr)), err=True)


def _ask(question: str, default: str) -> str:
    try:
        return str(
            click.prompt(within(question, terminal_width(sys.stderr)), default=default, show_default=bool(default), err=True)
        )
    except click.Abort as error:
        click.echo(err=True)
        if isinstance(error.__context__, EOFError):
            return default
        raise Interrupted("interrupted; nothing is written") from None
