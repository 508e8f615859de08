"""`--job ID[:START]`, as two verbs have it."""

from collections.abc import Callable

import click

from spark_mode.cli.context import Verb
from spark_mode.planning.job import Job


def job_option(required: bool) -> Callable[[Verb], Verb]:
    """Add the option; its value is a Job."""
    return click.option(
        "--job",
        metavar="ID[:START]",
        required=required,
        callback=_job,
        help="The job of a queue, by its number, and when it began; in a job of Slurm's that is known.",
    )


def _job(ctx: click.Context, param: click.Parameter, value: str | None) -> Job | None:
    try:
        return None if value is None else Job.parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
