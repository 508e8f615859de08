"""Who follows a switch: a terminal, a log, or a program."""

import sys

from spark_mode.cli.best_effort_stream import BestEffortStream
from spark_mode.cli.context import CliOptions
from spark_mode.cli.events import Events
from spark_mode.cli.progress import Lines, Screen, ask
from spark_mode.planning.plan import StoppedTraining
from spark_mode.switching.report import Confirm


def watcher_for(cli_options: CliOptions, own_output: bool = True) -> tuple[Lines, Confirm | None]:
    """Return who follows a switch, and who answers the one question: nobody without a terminal.

    Standard output is not our `own_output` where a command has it.
    """
    terminal = BestEffortStream(sys.stderr).isatty()
    sign = cli_options.sign

    def confirm(training: tuple[StoppedTraining, ...]) -> bool:
        sign.gone()
        return ask(training)

    asks = confirm if terminal and BestEffortStream(sys.stdin).isatty() else None
    if cli_options.format == "jsonl" and own_output:
        return Events(cli_options, sys.stdout), asks
    return Screen(sign) if terminal and not cli_options.quiet else Lines(cli_options.quiet, sign), asks
