"""`spark-mode uninstall --shared`: each user has a lock and a journal again."""

import click

from spark_mode.cli.context import CliOptions, output_options


@click.command()
@click.option("--shared", is_flag=True, help="Take away what `setup --shared` made; needs root.")
@output_options
@click.pass_obj
def uninstall(cli_options: CliOptions, shared: bool) -> None:
    """Take away what all users of this machine share. What was written there is kept for the next set-up."""
    from spark_mode.enforcement.shared import give_back_by_hand, kept_state, take_down

    if not shared:
        raise click.UsageError("say what to take away: --shared")
    there = take_down()
    owed = give_back_by_hand(kept_state()) if there else []
    said = f"each user has a lock and a journal again; the shared ones are kept in {kept_state()}"
    if owed:
        said += f"\nrestarted by nothing until the next setup --shared, or: {'; '.join(owed)}"
    cli_options.show(
        {"kept": str(kept_state()) if there else None, "restart_policies": owed}, lambda: said if there else "nothing was shared"
    )
