"""`spark-mode calibrate`."""

import click

from spark_mode.cli.context import CliOptions, output_options
from spark_mode.cli.verb import Verb


@click.command(
    cls=Verb,
    examples={
        "calibrate": "What was seen to be taken, beside what is planned",
        "calibrate --write": "Put that into rules.yaml",
    },
)
@click.option("--write", is_flag=True, help="Put the figures into rules.yaml, where two starts agree; every comment stays.")
@output_options
@click.pass_obj
def calibrate(cli_options: CliOptions, write: bool) -> None:
    """Show what each workload was seen to take, over all switches, and the lines for rules.yaml."""
    session = cli_options.session()
    from spark_mode.cli.show_calibration import calibration_text
    from spark_mode.journal.measurements import footprints, read_measurements
    from spark_mode.lab.size import gb

    cli_options.notice(session)
    if write:
        from spark_mode.cli.write_calibration import write_figures

        cli_options.say(*write_figures(session))
        return
    seen = footprints(read_measurements(session.measurements_path))
    data = [
        {
            "workload": one.workload,
            "declared_gb": gb(one.declared),
            "count": one.count,
            "disturbed": one.disturbed,
            "agrees": one.agrees,
            "median_gb": gb(one.median),
            "low_gb": gb(one.low),
            "high_gb": gb(one.high),
            "peak_gb": gb(one.peak),
            "since": one.since,
            "until": one.until,
        }
        for one in seen
    ]
    cli_options.screen(data, lambda width: calibration_text(seen, width))
