"""`spark-mode setup`: what a package manager for Python cannot put in place."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from spark_mode.cli.context import CliOptions, output_options

if TYPE_CHECKING:
    from spark_mode.cli.installation import OwnFile

NOTHING = "nothing to do: all is in place"
ZSH = "zsh looks there once ~/.zshrc has: fpath=(~/.local/share/zsh/site-functions $fpath); autoload -Uz compinit && compinit"


@click.command()
@click.option("--shared", is_flag=True, help="Only the lock and the journal of all users, at every boot; needs root.")
@click.option("--dry-run", is_flag=True, help="Show what would be put in place, and change nothing.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
@output_options
@click.pass_context
def setup(ctx: click.Context, shared: bool, dry_run: bool, yes: bool) -> None:
    """Put in place what an installation by pipx or uv cannot.

    For you: the Docker plugin, and what your shells need to complete names. As root: that for all users of this machine, a
    `spark-mode` that sudo finds, and one lock and one journal for all.
    """
    cli_options = ctx.ensure_object(CliOptions)
    if shared:
        data, lines = _share()
        cli_options.say(data, lambda: "\n".join(lines))
        return
    from spark_mode.cli.installation import own_files

    is_root = os.geteuid() == 0
    files = [one for one in own_files(is_root, ctx.find_root().command) if one.is_wanted]
    planned = planned_text(files, _missing() if is_root else ())
    if planned and not dry_run:
        _carry_out(cli_options, files, planned, is_root, yes)
        return
    cli_options.say({"files": _names(files), "done": False}, lambda: planned or NOTHING)


def planned_text(files: "Sequence[OwnFile]", shared: Sequence[str]) -> str:
    """Return what would be put in place, each path below what it is for."""
    purposes: dict[str, list[str]] = {}
    for purpose, path in (
        *((one.purpose, str(one.path)) for one in files),
        *(("one lock and one journal for all users", one) for one in shared),
    ):
        purposes.setdefault(purpose, []).append(path)
    return "\n".join(line for purpose, paths in purposes.items() for line in (purpose, *(f"  {path}" for path in paths)))


def _carry_out(cli_options: CliOptions, files: "Sequence[OwnFile]", planned: str, is_root: bool, yes: bool) -> None:
    """Show what is put in place, have it agreed to, and put it there."""
    from spark_mode.cli.on_screen import on_screen
    from spark_mode.cli.questions import require_agreement

    click.echo(on_screen(f"spark-mode puts in place:\n\n{planned}\n", sys.stderr), err=True)
    if not yes:
        require_agreement("Go on?", default=True)
    data, lines = _share() if is_root and _missing() else ({}, [])
    _put(files)
    lines += [ZSH] if not is_root and any(one.needs == "zsh" for one in files) else []
    cli_options.say({"files": _names(files), "done": True, **data}, lambda: done_text(lines, is_root))


def done_text(lines: Sequence[str], is_root: bool) -> str:
    """Return what is so now, and what leads on."""
    return "\n".join(
        ["done", *lines, *([] if is_root else ["  → for all users of this machine, and for sudo: sudo spark-mode setup"])]
    )


def _put(files: "Sequence[OwnFile]") -> None:
    from spark_mode.enforcement.own_file import put, require_ours

    for one in files:
        require_ours(one.path, one.mark)
    for one in files:
        put(one.path, one.text, one.mode, "set HOME to a directory that you may write")


def _names(files: "Sequence[OwnFile]") -> list[str]:
    return [str(one.path) for one in files]


def _missing() -> list[str]:
    """Return what is not there of all that users share: the directories, and what makes them at a boot."""
    from spark_mode.enforcement.shared import TMPFILES, comes_back
    from spark_mode.sharing.directories import shared_directories

    return [*(str(path) for path in shared_directories() if not path.is_dir()), *([] if comes_back() else [f"/{TMPFILES}"])]


def _share() -> tuple[dict[str, object], list[str]]:
    """Make what all users share; return that for programs and for people. Raises as `set_up` does."""
    from spark_mode.enforcement.shared import give_back_by_hand, private_directories, set_up
    from spark_mode.sharing.directories import shared_directories

    private = tuple(private_directories())
    conf = set_up(private=private)
    locks, state = map(str, shared_directories())
    owed = [command for own in private for command in give_back_by_hand(own)]
    lines = [f"{locks} and {state} are shared by all users, after a boot as well ({conf})"]
    if owed:
        lines.append("what a user's own switches have stopped does not come back after a reboot, unless by hand:")
        lines += [f"  → {one}" for one in owed]
    return {"locks": locks, "state": state, "tmpfiles": str(conf), "restart_policies": owed}, lines
