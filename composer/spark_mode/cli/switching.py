"""What the verbs that switch have in common: their options, the one question, and how a switch is shown."""

import re
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from spark_mode.cli.best_effort_stream import BestEffortStream
from spark_mode.cli.context import CliOptions, Verb, event_options
from spark_mode.cli.end_event import end_event
from spark_mode.errors import SparkModeError

if TYPE_CHECKING:
    from spark_mode.cli.progress import Lines
    from spark_mode.lab.project import Project
    from spark_mode.planning.request import Request
    from spark_mode.session.session import Session
    from spark_mode.switching.awaited_word import AwaitedWord
    from spark_mode.switching.report import Report, SwitchOptions

WITHOUT_END = -1.0
_OF_REQUEST = {"force": "force", "drop_caches": "drop_caches", "ready_seconds": "timeout"}
"""Fields of a request and the options that set them."""


def _digest(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Return a digest as it was typed. Raises BadParameter for what is none."""
    from spark_mode.planning.digest import FORM

    if value is not None and not re.fullmatch(FORM, value):
        raise click.BadParameter("this is no digest of a plan; spark-mode plan … --format json has it", ctx, param)
    return value


def _admission(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, float] | None:
    """Return a request's id and how many seconds it waits for its word. Raises BadParameter."""
    if value is None:
        return None
    name, _, seconds = value.partition(":")
    if not seconds.isdecimal():
        raise click.BadParameter("ID:SECONDS; spark-mode -H has it", ctx, param)
    return name, float(seconds)


wait_option = click.option(
    "--wait",
    type=float,
    is_flag=False,
    flag_value=WITHOUT_END,
    default=0.0,
    metavar="[SECONDS]",
    help="Wait for another switch to end; --wait=SECONDS at most so long.",
)
_OPTIONS = {
    "--dry-run": click.option("--dry-run", is_flag=True, help="Show the plan and change nothing."),
    "--yes": click.option("-y", "--yes", is_flag=True, help="Agree to stopping a long run, such as a training."),
    "--no-input": click.option(
        "--no-input",
        is_flag=True,
        help="Ask nothing, and refuse what would be asked about: stopping a long run. Without a terminal nobody can be asked, "
        "and without this option only `up` refuses.",
    ),
    "--wait": wait_option,
    "--expect": click.option(
        "--expect",
        metavar="DIGEST",
        callback=_digest,
        help="Only if the plan still has this digest, which `plan --format json` shows.",
    ),
    "--admit": click.option("--admit", callback=_admission, hidden=True),
    "--with": click.option("--with", "extra", multiple=True, metavar="NAME", help="Also this workload or model."),
    "--hold": click.option("--hold", is_flag=True, help="Have no other switch stop it, until it ends or is released."),
    "--timeout": click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="How long each service may take to be ready; else 5 minutes after its start period, or 20 without a health check.",
    ),
    "--no-restore": click.option("--no-restore", is_flag=True, help="After a failure leave stopped what was stopped."),
    "--force": click.option("--force", is_flag=True, help="Start although it may not fit (oom-risk), or free memory is unknown."),
    "--drop-caches": click.option(
        "--drop-caches", is_flag=True, help="Have the kernel give the page cache back before the start; needs root."
    ),
}
_EVERY = ("--dry-run", "--yes", "--no-input", "--wait", "--expect")
ADDS = ("--with", "--hold")
"""Options of a switch to which something can be added, and which can be held."""
STARTS = ("--admit", "--timeout", "--no-restore", "--force", "--drop-caches")
"""Options of a switch that starts services, and has a way back."""


def switch_options(*more: str) -> Callable[[Verb], Verb]:
    """Add the options that every switch has, and those of `more` that mean something to this one."""

    def add(command: Verb) -> Verb:
        command = event_options(command)
        for name in reversed([one for one in _OPTIONS if one in (*_EVERY, *more)]):
            command = _OPTIONS[name](command)
        return command

    return add


def carry_out(cli_options: CliOptions, session: "Session", request: "Request", options: dict[str, Any]) -> None:
    """Switch, or with --dry-run show the plan."""
    said = {key: options[name] for key, name in (*_OF_REQUEST.items(), ("extra", "extra")) if name in options}
    request = request.model_copy(update=said)
    if options["dry_run"]:
        from spark_mode.cli.show_plan import show_plan

        show_plan(cli_options, session.plan(request), options["expect"])
        return
    from spark_mode.cli.follower import watcher_for
    from spark_mode.switching.transaction import Transaction

    watcher, confirm = watcher_for(cli_options)
    may_be_interrupted()
    with watcher:
        watcher.names(cli_options.lab)
        report = Transaction(session, switch_options_of(options), watcher, confirm, _word(options, session)).switch(request)
        if options.get("then"):
            report = _then_restore(session, watcher, report)
    show_report(cli_options, report, session.project)


def switch_options_of(options: dict[str, Any]) -> "SwitchOptions":
    """Return how to switch, as it was typed."""
    from spark_mode.switching.report import SwitchOptions

    return SwitchOptions(
        wait_seconds=None if options["wait"] == WITHOUT_END else max(0.0, options["wait"]),
        restore_on_failure=not options.get("no_restore"),
        yes=options["yes"],
        no_input=options["no_input"],
        hold=options.get("hold", False),
        then=bool(options.get("then")),
        only_after=options.get("undo"),
        why="another machine of the same request did not" if options.get("undo") else None,
        expect=options["expect"],
    )


def _word(options: dict[str, Any], session: "Session") -> "AwaitedWord | None":
    """Return what a switch waits for with its plan: the word of whoever asks several machines at once; None for any other."""
    if not options.get("admit"):
        return None
    from spark_mode.sharing.kept_requests import KeptRequest
    from spark_mode.switching.awaited_word import AwaitedWord

    name, seconds = options["admit"]
    return AwaitedWord(KeptRequest(name), seconds, session.clock)


def may_be_interrupted() -> None:
    """Have Ctrl-C raise from here on: a terminal has to be left as it was."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _then_restore(session: "Session", watcher: "Lines", report: "Report") -> "Report":
    """Leave it to the guard to bring back what ran before, where one runs; else stay until training has ended."""
    from spark_mode.cli.ending import summary
    from spark_mode.enforcement.presence import guard_runs
    from spark_mode.switching.following import restore_after_training

    watcher.says(summary(report))
    if not guard_runs(session):
        return restore_after_training(session, watcher)
    return report.model_copy(update={"note": "when training ends, the guard brings back what ran before"})


def show_report(cli_options: CliOptions, report: "Report", project: "Project") -> None:
    """Print how a switch or a recovery ended, and where what runs now is reached."""
    from spark_mode.cli.ending import addresses, summary
    from spark_mode.planning.plan import steps_as_json

    data = report.model_dump(include={"request", "outcome", "mode", "seconds", "note", "warnings", "switch"})
    data |= {"warnings": list(report.warnings), "steps": steps_as_json(report.steps)}
    if cli_options.format == "jsonl":
        data = end_event(0, data)
    try:
        cli_options.say(data, lambda: "\n".join([summary(report), *addresses(report, project)]))
    except SparkModeError as error:  # the switch is done, whether or not that can be written
        BestEffortStream(sys.stderr).write(f"{error.message}\n")
