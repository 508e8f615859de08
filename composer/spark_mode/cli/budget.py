"""`spark-mode budget NAME…`."""

import click

from spark_mode.cli.completed_by import completed_by
from spark_mode.cli.context import CliOptions, output_options
from spark_mode.cli.verb import Verb


@click.command(
    cls=Verb,
    examples={
        "budget {name}": "What it takes alone, with what the system takes",
        "budget {name} NAME": "Whether both fit at once, and whether they may",
        "budget {name} --format json": "The same for programs",
    },
)
@click.argument("names", nargs=-1, required=True, shell_complete=completed_by("names"))
@output_options
@click.pass_obj
def budget(cli_options: CliOptions, names: tuple[str, ...]) -> None:
    """Show the arithmetic and the verdict of exactly these workloads, services, or of what a profile starts.

    NAME is a workload first. Needs no engine.
    """
    from spark_mode.cli.show_budget import budget_text
    from spark_mode.lab.by_nature import with_nature
    from spark_mode.planning.budget import budget as reckon
    from spark_mode.planning.together import named_workloads, of_profile_too, why_unknown
    from spark_mode.session.rules_file import machine_capacity

    rules, project = cli_options.rules(), cli_options.project()
    rules = with_nature(rules, project) if project else rules
    named = named_workloads(names, rules, project)
    reckoned = reckon(named, rules, machine_capacity(rules)).unless_unknown(why_unknown(named, rules, project))
    notes = [f"note: {one}" for one in of_profile_too(names, rules, project)]
    if reckoned.decision == "yes":
        notes.append(f"  → what it would stop and start: spark-mode plan up {' '.join(names)}")
    cli_options.screen(reckoned.as_json(), lambda width: "\n".join([budget_text(reckoned, rules, width), *notes]))
