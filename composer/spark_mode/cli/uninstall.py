"""`spark-mode uninstall`: what was put on this machine goes away again."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from spark_mode.cli.context import CliOptions, output_options
from spark_mode.errors import SparkModeError

if TYPE_CHECKING:
    from spark_mode.cli.taking_away import Part

NOTHING = "nothing is installed beside the program itself"


@click.command()
@click.option("--shared", is_flag=True, help="Only what `setup --shared` made; needs root.")
@click.option("--state", "with_state", is_flag=True, help="Journals, measurements and settings too, for good.")
@click.option("--dry-run", is_flag=True, help="Show what would be taken away, and change nothing.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
@output_options
@click.pass_context
def uninstall(ctx: click.Context, shared: bool, with_state: bool, dry_run: bool, yes: bool) -> None:
    """Take away what was put on this machine: gates, guards, the page, the Docker plugin, completions, what all users share.

    The program itself goes last, by what installed it; the last line says how. As root that of all users, else your own.
    """
    cli_options = ctx.ensure_object(CliOptions)
    if shared:
        _unshare(cli_options)
        return
    from spark_mode.cli.taking_away import owed, parts, require_idle

    there = list(parts(ctx.find_root().command, with_state))
    if dry_run:
        cli_options.say({"removed": [], "there": [one.what for one in there]}, lambda: listed([one.what for one in there]))
        return
    require_idle(with_state)
    policies = owed()
    if there:
        _agree(there, yes)
    _take_away(cli_options, there, policies)


def listed(there: Sequence[str]) -> str:
    """Return what would be taken away, a line each."""
    return "\n".join(f"  {one}" for one in there) or NOTHING


def _agree(there: "Sequence[Part]", yes: bool) -> None:
    from spark_mode.cli.questions import require_agreement

    click.echo(f"spark-mode takes away:\n{listed([one.what for one in there])}", err=True)
    if not yes:
        require_agreement("Go on?", default=False)


def _take_away(cli_options: CliOptions, there: "Sequence[Part]", policies: Sequence[str]) -> None:
    """Take one after the other away; what cannot go stays, with its reason, and keeps nothing else from going."""
    from spark_mode.cli.installation import how_to_remove

    left: list[dict[str, str | None]] = []
    for one in there:
        try:
            one.undo()
        except SparkModeError as error:
            fix = "sudo spark-mode uninstall" if error.hint == "use sudo" else error.hint
            left.append({"what": one.what, "why": error.message.removeprefix(f"{one.what}: "), "fix": fix})
    stays = {one["what"] for one in left}
    removed = [one.what for one in there if one.what not in stays]
    data = {"removed": removed, "left": left, "restart_policies": list(policies)}
    cli_options.exit_code = 3 if left else 0
    is_the_package_going = "DPKG_MAINTSCRIPT_NAME" in os.environ  # which dpkg(1) sets
    program = None if left or is_the_package_going else how_to_remove()
    cli_options.say(data, lambda: "\n".join(told(removed, left, policies, program)))


def told(
    removed: Sequence[str], left: Sequence[Mapping[str, str | None]], policies: Sequence[str], program: str | None
) -> Iterator[str]:
    """Yield what has gone, what stays and why, and what is to be done about it; `program` removes the program itself."""
    if not removed and not left:
        yield NOTHING
    yield from (f"{what} is removed" for what in removed)
    yield from (f"{one['what']} stays: {one['why']}" for one in left)
    yield from (f"  → {fix}" for fix in dict.fromkeys(one["fix"] for one in left) if fix)
    if policies:
        yield "what switches have stopped does not come back after a reboot, unless you give it its restart policy back"
        yield from (f"  → {policy}" for policy in policies)
    if program:
        yield f"  → the program itself: {program}"


def _unshare(cli_options: CliOptions) -> None:
    """Have each user have a lock and a journal again."""
    from spark_mode.enforcement.shared import give_back_by_hand, kept_state, take_down

    there = take_down()
    owed = give_back_by_hand(kept_state()) if there else []
    said = f"each user has a lock and a journal again; the shared ones are kept in {kept_state()}"
    if owed:
        said += "\nwhat switches have stopped does not come back after a reboot, until the next setup --shared, or by hand:"
        said += "".join(f"\n  → {one}" for one in owed)
    cli_options.say(
        {"kept": str(kept_state()) if there else None, "restart_policies": owed}, lambda: said if there else "nothing was shared"
    )
