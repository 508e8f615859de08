"""`spark-mode release`."""

import click

from spark_mode.cli.context import CliOptions, output_options


@click.command()
@output_options
@click.pass_obj
def release(cli_options: CliOptions) -> None:
    """Let other switches stop what --hold protects."""
    session = cli_options.session(need_project=False)
    from spark_mode.cli.follower import watcher_for  # after Compose was asked
    from spark_mode.switching.holding import release_holds

    watcher, _ = watcher_for(cli_options)
    with watcher:
        released = release_holds(session, watcher)
    said = [f"{one.request} is no longer held (by {one.by} since {one.since})" for one in released]
    data = {"released": [str(one) for one in released]}
    cli_options.say(data, lambda: "\n".join(said) or "nothing is held, so nothing had to be released")
