"""`spark-mode setup --shared`: one lock and one journal for all users of this machine."""

import click

from spark_mode.cli.context import CliOptions, output_options


@click.command()
@click.option("--shared", is_flag=True, help="One lock and one journal for all users, at every boot; needs root.")
@output_options
@click.pass_obj
def setup(cli_options: CliOptions, shared: bool) -> None:
    """Make what all users of this machine share: the lock and the journal of its switches."""
    from spark_mode.enforcement.shared import give_back_by_hand, private_directories, set_up
    from spark_mode.sharing.directories import shared_directories

    if not shared:
        raise click.UsageError("say what to set up: --shared")
    private = tuple(private_directories())
    conf = set_up(private=private)
    locks, state = map(str, shared_directories())
    owed = [command for own in private for command in give_back_by_hand(own)]
    said = f"{locks} and {state} are shared by all users, after a boot as well ({conf})"
    if owed:
        said += f"\nwhat a user's own switches stopped has no restart policy, and gets it back by hand: {'; '.join(owed)}"
    cli_options.show({"locks": locks, "state": state, "tmpfiles": str(conf), "restart_policies": owed}, lambda: said)
