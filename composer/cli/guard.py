"""`spark-mode guard`: watch what others start."""

import os

import click

from composer.cli.context import Globals, output_options


@click.group(invoke_without_command=True)
@click.pass_context
def guard(ctx: click.Context) -> None:
    """Watch what others start, and hold the rules against it; in the foreground, until Ctrl-C."""
    if ctx.invoked_subcommand is None:
        _watch(ctx.ensure_object(Globals))


@guard.command(short_help="Have systemd run the guard")
@output_options
@click.pass_obj
def install(known: Globals) -> None:
    """Have systemd run the guard of this lab, now and at every boot; needs root."""
    from composer.enforcement.unit import NAME
    from composer.enforcement.unit import install as write
    from composer.switching.discovery import here, lab_folder

    session = known.session()  # a lab that cannot be read is said now, not in a log
    path = write(lab_folder(os.environ, here()), session.files.rules)
    known.show({"unit": str(path)}, lambda: f"{path} is in place and runs: systemctl status {NAME}")


@guard.command(short_help="Stop the guard, and have it run no more")
@output_options
@click.pass_obj
def uninstall(known: Globals) -> None:
    """Stop the guard and take its unit away."""
    from composer.enforcement.unit import NAME
    from composer.enforcement.unit import uninstall as remove

    there = remove()
    known.show({"unit": None}, lambda: f"{NAME} {'is removed' if there else 'was not there'}")


def _watch(known: Globals) -> None:
    import gc

    from composer.cli.tables import readable
    from composer.enforcement.guard import Guard
    from composer.enforcement.presence import the_only_guard

    session = known.session()
    gc.freeze()
    gc.enable()
    with the_only_guard(session):
        click.echo(f"guarding {session.project.name}")
        Guard(session, lambda line: click.echo(readable(line))).run()
    click.echo("the guard ends; nothing was stopped by that")
