"""`spark-mode fleet …`: which machines `-H` asks."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path

import click

from spark_mode.atomic_file import replace_file
from spark_mode.cli.context import CliOptions, output_options
from spark_mode.cli.verb import Verb
from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.fleet.nodes import ALL, NAME, Fleet, fleet_file, read_fleet
from spark_mode.lab.document import MAXIMUM_KEY
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
    nodes = _named(names or known_to_ssh(Path.home() / ".ssh" / "config"))
    if not nodes:
        raise UsageFault("no machine is named, and ~/.ssh/config names none", "name them: spark-mode fleet init spark1 spark2")
    text = "".join([_HEAD, *_written(nodes), _GROUPS.format(names=", ".join([*nodes][:2]))])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode(), 0o644, over=False)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", "set SPARK_MODE_FLEET to a file that you may write") from None
    found = [*nodes.values()]
    asked = "do they all answer?" if names else "take out of it what is no such machine; do the others answer?"
    cli_options.show(
        {"file": str(path), "nodes": found}, lambda: f"{path}: {', '.join(found)}\n  → {asked} spark-mode -H all status"
    )


def _named(found: Iterable[str]) -> dict[str, str]:
    """Return what ssh is given for each machine, by the machine's name. Raises UsageFault."""
    nodes: dict[str, str] = {}
    for one in found:
        name = one.rpartition("@")[2]
        if not _is_name(one):
            raise UsageFault(f'"{one}" is no name of a machine', "write what ssh is given: fleet init spark1 ann@spark2")
        if nodes.setdefault(name, one) != one:
            raise UsageFault(
                f"{nodes[name]} and {one} would both be called {name}", "write one of them into the file by hand, by another name"
            )
    return nodes


def _is_name(one: str) -> bool:
    """Whether ssh may be given that, and fleet.yaml can have a machine of its name."""
    name = one.rpartition("@")[2]
    return bool(re.fullmatch(NAME, one) and re.fullmatch(NAME, name)) and name != ALL and len(one) <= MAXIMUM_KEY


def _written(nodes: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of machines: a name that YAML takes for something else, such as yes and 12:30, is in quotes."""
    import yaml  # which no other command here needs

    for name, ssh in nodes.items():
        key, value = (one if yaml.safe_load(one) == one else f'"{one}"' for one in (name, ssh))
        yield f"  {key}:\n" if name == ssh else f"  {key}: {{ssh: {value}}}\n"


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
    return [one for one in found if _is_name(one) and "@" not in one]
