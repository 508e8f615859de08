"""`spark-mode setup --shared`: one lock and one journal for all users of this machine."""

import click

from spark_mode.cli.context import CliOptions, output_options


@click.command()
@click.option("--shared", is_flag=True, help="One lock and one journal for all users, at every boot; needs root.")
@output_options
@click.pass_obj
def setup(cli_options: CliOptions, shared: bool) -> None:
    """Make what all users of this machine share: the lock and the journal of its switches."""
    from spark_mode.enforcement.shared import private_directories, set_up
    from spark_mode.sharing.directories import shared_directories

    if not shared:
        raise click.UsageError("say what to set up: --shared")
    conf = set_up(private=private_directories())
    locks, state = map(str, shared_directories())
    cli_options.show(
        {"locks": locks, "state": state, "tmpfiles": str(conf)},
        lambda: f"{locks} and {state} are shared by all users, after a boot as well ({conf})",
    )
