"""`spark-mode fleet …`: which machines `-H` asks."""

import os
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click

from spark_mode.atomic_file import replace_file
from spark_mode.cli.context import CliOptions, output_options
from spark_mode.cli.verb import Verb
from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.fleet.nodes import NAME, Fleet, fleet_file, read_fleet
from spark_mode.plain_file import is_there, plain_text

_HOST = re.compile(r"^\s*host[\s=]+(.+)$", re.IGNORECASE | re.MULTILINE)
_HEAD = """\
# The machines that `spark-mode -H` asks, over your own ssh. A name that is not here goes to ssh as it is.
#
#   spark2: {ssh: ann@10.0.0.2}                      what ssh is given, where that is another name
#   spark3: {command: ~/.local/bin/spark-mode}       the program there, where ssh's commands do not find it
#
# `-H all` is all of them; a group is a name for some; patterns such as 'spark*' and all,!spark2 choose among them.
nodes:
"""
_GROUPS = """
# groups:
#   models: [{names}]
"""


LATER = {
    "run": "fleet_jobs",
    "status": "fleet_jobs",
    "stop": "fleet_jobs",
    "resume": "fleet_jobs",
    "config": "fleet_slurm",
    "check": "fleet_slurm",
}
"""The commands about a queue, each with the file that it is loaded from when it is called."""


class WithQueue(click.Group):
    """Commands about machines, and those about a queue."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *LATER]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in LATER:
            found: click.Command = getattr(import_module(f"spark_mode.cli.{LATER[cmd_name]}"), cmd_name)
            return found
        return super().get_command(ctx, cmd_name)


@click.group(cls=WithQueue)
def fleet() -> None:
    """Say which machines there are: `-H` asks them over ssh, and a queue, Slurm, gives them jobs."""


@fleet.command(
    cls=Verb,
    examples={
        "fleet init spark1 spark2": "These two, as ssh knows them",
        "fleet init": "Those that ssh's own configuration names",
    },
)
@click.argument("names", nargs=-1, metavar="[NAME]…")
@output_options
@click.pass_obj
def init(cli_options: CliOptions, names: tuple[str, ...]) -> None:
    """Write down which machines there are.

    These, or those that ~/.ssh/config names, into fleet.yaml; one that is there is kept.
    """
    path = fleet_file(os.environ)
    if is_there(path):
        raise UsageFault(f"{path} is there already, and is kept", "add to it by hand; see what it says: spark-mode fleet show")
    if wrong := next((one for one in names if not re.fullmatch(NAME, one)), None):
        raise UsageFault(f'"{wrong}" is no name of a machine', "write what ssh is given: fleet init spark1 ann@spark2")
    found = list(dict.fromkeys(names or known_to_ssh(Path.home() / ".ssh" / "config")))
    if not found:
        raise UsageFault("no machine is named, and ~/.ssh/config names none", "name them: spark-mode fleet init spark1 spark2")
    lines = [f"  {one}:\n" if "@" not in one else f"  {one.partition('@')[2]}: {{ssh: {one}}}\n" for one in found]
    text = "".join([_HEAD, *lines, _GROUPS.format(names=", ".join(one.rpartition("@")[2] for one in found))])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode(), 0o644, over=False)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", "set SPARK_MODE_FLEET to a file that you may write") from None
    data = {"file": str(path), "nodes": found}
    cli_options.show(data, lambda: f"{path}: {', '.join(found)}\n  → do they all answer? spark-mode -H all status")


@fleet.command(cls=Verb, examples={"fleet show": "The machines, and the groups of them"})
@output_options
@click.pass_obj
def show(cli_options: CliOptions) -> None:
    """Show which machines are written down."""
    path = fleet_file(os.environ)
    if not is_there(path):
        raise UsageFault(
            f"there is no {path}", "write it: spark-mode fleet init NAME …; or name machines as ssh does: -H NAME,NAME"
        )
    known = read_fleet(path)
    data = {"nodes": {name: one._asdict() for name, one in known.nodes.items()}, "groups": known.groups}
    cli_options.show(data, lambda: "\n".join(_lines(path, known)))


def _lines(path: Path, known: Fleet) -> Iterator[str]:
    yield str(path)
    for name, node in known.nodes.items():
        more = [f"ssh {node.ssh}"] if node.ssh else []
        more += [node.command] if node.command != "spark-mode" else []
        yield f"  {name}" + (f"  ({', '.join(more)})" if more else "")
    yield from (f"  {name} = {', '.join(members)}" for name, members in known.groups.items())


def known_to_ssh(path: Path) -> list[str]:
    """Return the machines that ssh's configuration names, none of its patterns."""
    found = [word for line in _HOST.findall(plain_text(path) or "") for word in line.split("#")[0].split()]
    return [one for one in found if re.fullmatch(NAME, one)]
