"""`spark-mode plan VERB …`: any switch, with --dry-run."""

import click

from spark_mode.cli.completed_by import completed_by
from spark_mode.cli.context import CliOptions, output_options
from spark_mode.cli.verbs import SWITCHES
from spark_mode.errors import UsageFault


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("switch", nargs=-1, required=True, type=click.UNPROCESSED, shell_complete=completed_by("switch"))
@output_options
@click.pass_context
def plan(ctx: click.Context, switch: tuple[str, ...]) -> None:
    """Show what a SWITCH would do, such as `plan audio omni`, and change nothing. It exits as the switch would."""
    name = switch[0].partition(":")[0]
    if name not in SWITCHES:
        from spark_mode.cli.mistakes import meant
        from spark_mode.lab.rules_reading import suggest

        if hint := meant(switch[0], ctx, "plan "):
            raise UsageFault(f'"{switch[0]}" is not a switch; there are {", ".join(SWITCHES)}', hint)
        raise click.UsageError(f'"{switch[0]}" is not a switch{suggest(name, SWITCHES)}; there are {", ".join(SWITCHES)}')
    verbs = ctx.find_root().command
    command = verbs.get_command(ctx, switch[0]) if isinstance(verbs, click.Group) else None
    if command is None:
        raise click.UsageError(f'no such command "{switch[0]}"')
    with command.make_context(switch[0], [*switch[1:], "--dry-run"], parent=ctx) as inner:
        ctx.ensure_object(CliOptions)
        command.invoke(inner)
