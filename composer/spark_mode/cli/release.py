"""`spark-mode release`."""

from typing import TYPE_CHECKING

import click

from spark_mode.cli.context import CliOptions, output_options
from spark_mode.cli.job_option import job_option
from spark_mode.planning.job import Job

if TYPE_CHECKING:
    from spark_mode.planning.observed import Hold


@click.command()
@job_option(required=False)
@output_options
@click.pass_obj
def release(cli_options: CliOptions, job: Job | None) -> None:
    """Let other switches stop what --hold protects.

    With --job that is what a job of a queue holds, and nothing else; what it has left running is stopped.
    """
    session = cli_options.session(need_project=False)
    from spark_mode.cli.follower import watcher_for  # after Compose was asked

    watcher, _ = watcher_for(cli_options)
    with watcher:
        if job is None:
            from spark_mode.switching.holding import release_holds

            released = release_holds(session, watcher)
        else:
            from spark_mode.switching.job import release_job

            released = release_job(session, job, watcher)
    data = {"released": [str(one) for one in released]}
    cli_options.say(data, lambda: "\n".join(map(_said, released)) or _nothing(job))


def _said(one: "Hold") -> str:
    by = f"by {one.by}" if one.job is None else f"by job {one.job.id} of {one.by}"
    return f"{one.request} is no longer held ({by} since {one.since})"


def _nothing(job: Job | None) -> str:
    return "nothing is held, so nothing had to be released" if job is None else f"job {job.id} holds nothing here"
