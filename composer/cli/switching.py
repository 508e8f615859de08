"""What the verbs that switch have in common: their options, the one question, and how a switch is shown."""

import gc
from collections.abc import Callable
from typing import Any

import click

from composer.cli.context import Globals, Verb, output_options

WITHOUT_END = -1.0
_OF_REQUEST = {"force": "force", "drop_caches": "drop_caches", "ready_seconds": "timeout"}
"""Fields of a request and the options that set them."""


def switch_options(models: bool = True) -> Callable[[Verb], Verb]:
    """Add the options of a switch; `--with` only where something can be added."""

    def add(command: Verb) -> Verb:
        if models:
            command = click.option("--with", "extra", multiple=True, metavar="NAME", help="Also this workload or model.")(command)
        for option in (
            click.option("--dry-run", is_flag=True, help="Show the plan and change nothing."),
            click.option(
                "--wait",
                type=float,
                is_flag=False,
                flag_value=WITHOUT_END,
                default=0.0,
                metavar="[SECONDS]",
                help="Wait for another switch to end; --wait=SECONDS at most so long.",
            ),
            click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Bound of readiness."),
            click.option("--force", is_flag=True, help="Admit oom-risk and unknown memory."),
            click.option("--drop-caches", is_flag=True, help="Have the kernel give the page cache back before the start (root)."),
            click.option("--no-restore", is_flag=True, help="After a failure leave stopped what was stopped."),
            click.option("-y", "--yes", is_flag=True, help="Agree to stopping a training that runs."),
        ):
            command = option(command)
        return output_options(command)

    return add


def carry_out(known: Globals, verb: str, names: tuple[str, ...], options: dict[str, Any]) -> None:
    """Switch, or with --dry-run show the plan."""
    from composer.planning.request import Request  # after --help has had its chance

    session = known.session(need_project=verb != "stop")
    if verb == "restore":
        request = session.restore_request()
    else:
        request = Request.model_validate({"verb": verb, "names": names, "extra": options.get("extra", ())})
    request = request.model_copy(update={key: options[name] for key, name in _OF_REQUEST.items()})
    if options["dry_run"]:
        from composer.cli.show_plan import show_plan

        show_plan(known, session.plan(request))
        return
    from composer.cli.progress import watcher_for
    from composer.switching.report import SwitchOptions

    wait = None if options["wait"] == WITHOUT_END else max(0.0, options["wait"])
    how = SwitchOptions(wait_seconds=wait, restore_on_failure=not options["no_restore"], yes=options["yes"])
    watcher, confirm = watcher_for(known)
    gc.enable()
    with watcher:
        report = session.switch(request, how, watcher, confirm)
    known.show(
        {
            "request": report.request,
            "outcome": report.outcome,
            "mode": report.mode,
            "seconds": report.seconds,
            "warnings": list(report.warnings),
            "steps": report.plan.as_json()["steps"],
        },
        lambda: _summary(report.mode, report.seconds, report.plan.nothing_to_do),
    )


def _summary(mode: str, seconds: float, nothing: str | None) -> str:
    return f"nothing to do: {nothing}" if nothing else f"{mode}: done in {seconds:.1f} s"
