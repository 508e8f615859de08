"""`spark-mode plan VERB …`: any switch, with --dry-run."""

import click

from spark_mode.cli.completed_by import completed_by
from spark_mode.cli.context import CliOptions, output_options
from spark_mode.cli.verb import Verb
from spark_mode.errors import UsageFault
from spark_mode.lab.verbs import SWITCHES, VERBS


@click.command(
    cls=Verb,
    context_settings={"ignore_unknown_options": True},
    examples={
        "plan {mode}": "What would be stopped and started for it, in which order and why",
        "plan stop": "What would be stopped",
        "plan up {name} --format json": "The same for programs",
    },
)
@click.argument("switch", nargs=-1, required=True, type=click.UNPROCESSED, shell_complete=completed_by("switch"))
@output_options
@click.pass_context
def plan(ctx: click.Context, switch: tuple[str, ...]) -> None:
    """Show what a SWITCH would do, such as `plan audio omni`, and change nothing. It exits as the switch would."""
    group, name = ctx.find_root().command, switch[0]
    command = group.get_command(ctx, name) if isinstance(group, click.Group) and (name in SWITCHES or name not in VERBS) else None
    if command is None:
        from spark_mode.cli.mistakes import meant
        from spark_mode.lab.suggestion import suggest

        known = [*CliOptions.of(ctx.find_root().params).modes(), *SWITCHES]
        if hint := meant(name, ctx, switch[1:], "plan "):
            raise UsageFault(f'"{name}" is not a switch; there are {", ".join(known)}', hint)
        raise click.UsageError(f'"{name}" is not a switch{suggest(name, known)}; there are {", ".join(known)}')
    with command.make_context(name, ["--dry-run", *switch[1:]], parent=ctx) as inner:
        ctx.ensure_object(CliOptions)
        command.invoke(inner)
