"""`spark-mode run [--as NAME | --footprint SIZE] [--then restore] -- COMMAND …`."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spark_mode.cli.completed_by import completed_by
from spark_mode.cli.context import TYPED_IN, CliOptions
from spark_mode.cli.switching import may_be_interrupted, switch_options, switch_options_of
from spark_mode.cli.verb import Verb
from spark_mode.errors import Refused, UsageFault

if TYPE_CHECKING:
    from spark_mode.planning.request import RunRequest
    from spark_mode.session.session import Session


class _Command(Verb):
    """What follows `--` is the command, with options of its own; without `--` they could be taken for ours."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        planned = ctx.parent and ctx.parent.info_name == "plan"  # which has read it
        if args and "--" not in args and not planned and not {"--help", "-h"} & {*args} and not ctx.resilient_parsing:
            from spark_mode.cli.mistakes import of_lab  # a mistake may take its time

            raise UsageFault("the command goes after --", of_lab(args[0], ctx) or "spark-mode run --as NAME -- COMMAND …")
        return super().parse_args(ctx, args)


@click.command(
    cls=_Command,
    context_settings={"allow_interspersed_args": False},
    examples={
        "run --as NAME -- python3 train.py": "As that workload of rules.yaml",
        "run --footprint 30GB -- python3 train.py": "As a long run of that size",
        "run --as NAME --then restore -- python3 train.py": "And bring back what ran before when it has ended",
    },
)
@click.option("--as", "name", metavar="NAME", shell_complete=completed_by("workload"), help="The workload that it counts as.")
@click.option("--footprint", metavar="SIZE", help="How much memory it takes, such as 30GB.")
@click.option("--then", type=click.Choice(["restore"]), help="Bring back what ran before when it has ended, however it did.")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND …")
@switch_options("--no-restore", "--force", "--drop-caches")
@click.pass_obj
def run(
    cli_options: CliOptions, /, name: str | None, footprint: str | None, words: tuple[str, ...], then: str | None, **options: Any
) -> None:
    """Run a plain COMMAND as a workload: what a rule excludes is stopped, and it holds the machine until it has ended.

    It has the terminal and the directory in which it is typed, and its exit code is the one of `run`. `--as training:large`
    counts as that workload; with `--footprint` alone it is the one that runs to its end.

    All that it starts is its own, but not what it has a daemon start, as Docker or systemd-run: a container counts as itself.
    """
    from spark_mode.planning.commands import run_request

    session = cli_options.session()
    request = run_request(words, name, _size(footprint), session.rules)
    request = request.model_copy(update={"force": options["force"], "drop_caches": options["drop_caches"]})
    if options["dry_run"]:
        from spark_mode.cli.show_plan import show_plan

        show_plan(cli_options, session.plan(request), options["expect"])
        return
    folder = click.get_current_context().meta.get(TYPED_IN)
    _require_runnable(words, session, folder)
    cli_options.exit_code = _run(cli_options, session, request, words, {**options, "then": then, "folder": folder})


def _run(
    cli_options: CliOptions, session: "Session", request: "RunRequest", words: tuple[str, ...], options: dict[str, Any]
) -> int:
    """Return the exit code of the command. What prevents that what ran before comes back is said, and changes nothing of it."""
    from spark_mode.cli.ending import summary
    from spark_mode.cli.follower import watcher_for
    from spark_mode.switching.foreground import LATER, child, run_in_foreground

    watcher, confirm = watcher_for(cli_options, own_output=False)
    watcher.names(cli_options.lab)
    may_be_interrupted()
    ran = run_in_foreground(
        session, request, child(words, options["folder"]), switch_options_of(options), lambda: watcher, confirm
    )
    if ran.fault:
        watcher.says(f"spark-mode: {ran.fault.message}\n  → {ran.fault.hint or LATER}")
    if ran.stopped:
        watcher.says(f"stays stopped: {', '.join(ran.stopped)}\n  → to have it back: spark-mode restore")
    if ran.back:
        watcher.says(summary(ran.back))
    return ran.code


def _size(text: str | None) -> int | None:
    """Return the bytes of `--footprint`. Raises UsageFault."""
    from spark_mode.lab.size import parse_size

    try:
        size = None if text is None else parse_size(text)
    except ValueError as error:
        raise UsageFault(f"--footprint: {error}") from None
    if size == 0:
        raise UsageFault("--footprint: what a command takes is more than nothing")
    return size


def _require_runnable(words: tuple[str, ...], session: "Session", folder: str | None) -> None:
    """Raise before anything is stopped: for a program that is not there, and for a command within another one."""
    from spark_mode.sharing.command_processes import VARIABLE, mark

    program = str(Path(folder) / words[0]) if folder and "/" in words[0] else words[0]
    if shutil.which(program) is None:
        if "/" in program and Path(program).exists():
            raise UsageFault(f"{words[0]} is there, and nothing that you may run", "name the program that reads it first")
        raise UsageFault(f'there is no program "{words[0]}"', "see where it is: command -v NAME")
    inside = os.environ.get(VARIABLE)
    if outer := next((one for one in session.commands.live() if mark(one.pid, one.began) == inside), None):
        raise Refused(f"the command {outer} and holds the machine; this is within it", "run the command as it is")
