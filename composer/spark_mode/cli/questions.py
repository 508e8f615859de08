"""One question on a terminal before something is put in place or taken away; without a terminal nothing prompts."""

import sys

import click

from spark_mode.cli.best_effort_stream import BestEffortStream
from spark_mode.errors import Interrupted, Refused


def require_agreement(question: str, default: bool) -> None:
    """Ask on a terminal; without one go ahead. Raises Refused at a no and at the end of the input, Interrupted at Ctrl-C."""
    if not all(BestEffortStream(one).isatty() for one in (sys.stdin, sys.stderr)):
        return
    try:
        agreed = click.confirm(question, default=default, err=True)
    except click.Abort as error:  # which is what click makes of both
        click.echo(err=True)
        if not isinstance(error.__context__, EOFError):
            raise Interrupted("interrupted; nothing was changed") from None
        agreed = False
    if not agreed:
        raise Refused("you said no; nothing was changed")
