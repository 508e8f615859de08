"""`spark-mode hold MODE [PROFILE] --job ID`: what the script of a queue's job becomes."""

import os
from typing import Any

import click

from spark_mode.cli.completed_by import completed_by
from spark_mode.cli.context import CliOptions, event_options
from spark_mode.cli.job_option import job_option
from spark_mode.cli.switching import may_be_interrupted
from spark_mode.cli.verb import Verb
from spark_mode.planning.job import Job

WAIT_SECONDS = 30.0


@click.command(
    cls=Verb,
    examples={
        "hold {end} --job 42": "Run it to its end for that job, and exit as it does",
        "release --job 42": "What the job's epilog says: end what it holds",
    },
)
@click.argument("mode", shell_complete=completed_by("mode"))
@click.argument("profile", required=False, shell_complete=completed_by("profile"))
@job_option(required=True)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=WAIT_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Wait so long for the machine's own rule; then exit with 75.",
)
@click.option("-y", "--yes", is_flag=True, help="Agree to stopping a long run, such as a training, that is no job's.")
@click.option("--force", is_flag=True, help="Start although it may not fit (oom-risk), or free memory is unknown.")
@event_options
@click.pass_obj
def hold(cli_options: CliOptions, /, mode: str, profile: str | None, job: Job, wait: float, **options: Any) -> None:
    """Run a MODE for a job of a queue, stay until it has ended, and exit as it does.

    While the job lives no other switch stops it. A SIGTERM stops it with the time that it has for its checkpoint. Said again for
    the same job, it is the same run.
    """
    from spark_mode.planning.request import to_mode

    session = cli_options.session()
    request = to_mode(session.rules, mode, profile).model_copy(update={"force": options["force"]})
    from spark_mode.cli.follower import watcher_for  # after Compose was asked
    from spark_mode.switching.job import hold_for_job
    from spark_mode.switching.report import SwitchOptions

    watcher, _ = watcher_for(cli_options)
    may_be_interrupted()
    how = SwitchOptions(yes=options["yes"], no_input=not options["yes"])
    with watcher:
        watcher.names(cli_options.lab)
        cli_options.exit_code = hold_for_job(session, request, with_start(job), wait, watcher, how)
    said = f"{request} of job {job.id} has ended: exit code {cli_options.exit_code}"
    cli_options.say({"request": str(request), "job": str(job), "exit_code": cli_options.exit_code}, lambda: said)


def with_start(job: Job) -> Job:
    """Return a job with its start, which Slurm says in the environment of the job that this is part of."""
    start = os.environ.get("SLURM_JOB_START_TIME", "")
    mine = job.start is None and os.environ.get("SLURM_JOB_ID") == job.id and start.isdecimal()
    return job.model_copy(update={"start": int(start)}) if mine else job
