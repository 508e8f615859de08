"""`spark-mode fleet config slurm` and `fleet check`: Slurm's configuration, made from the rules and compared with what runs."""

import os
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spark_mode.cli.context import CliOptions, Verb, output_options
from spark_mode.cli.verb import Verb as VerbWithExamples
from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.plain_file import plain_text
from spark_mode.session.discovery import find_rules, here

if TYPE_CHECKING:
    from spark_mode.fleet.slurm_config import Site
    from spark_mode.planning.demand import Demands

_SITE = (
    click.option("--nodes", metavar="NAMES", help="The machines, with commas; else those of fleet.yaml, else this one."),
    click.option("--controller", metavar="NAME", help="Who places and queues; else the first of them."),
    click.option("--cpus", type=click.IntRange(min=1), metavar="N", help="The processors of each; else as many as here."),
    click.option("--lab", metavar="DIR", help="Where the lab is on each of them; else as here."),
    click.option("--program", metavar="FILE", help="Where spark-mode is on each of them; else as here."),
)


def site_options(command: Verb) -> Verb:
    """Add the options that say what rules.yaml does not."""
    for option in reversed(_SITE):
        command = option(command)
    return command


def site_of(cli_options: CliOptions, options: dict[str, Any]) -> "Site":
    """Return the machines, as they were typed or as they are here. Raises UsageFault."""
    from spark_mode.fleet.nodes import known_fleet
    from spark_mode.fleet.slurm import NAME
    from spark_mode.fleet.slurm_config import Site

    known = known_fleet(os.environ).nodes
    typed = options.get("nodes") or ",".join(known) or this_machine()
    nodes = tuple(dict.fromkeys(one.strip() for one in typed.split(",")))
    controller = options.get("controller") or nodes[0]
    if wrong := [one for one in (*nodes, controller) if not re.fullmatch(NAME, one)]:
        raise UsageFault(f'"{wrong[0]}" is no name of a machine', "write names as slurm.conf has them: --nodes spark1,spark2")
    return Site(
        nodes=nodes,
        controller=controller,
        cpus=options.get("cpus") or os.cpu_count() or 1,
        lab=_whole(options.get("lab")) or lab_folder(cli_options),
        program=_whole(options.get("program")) or shutil.which("spark-mode") or "/usr/bin/spark-mode",
    )


def _whole(path: str | None) -> str | None:
    return path and str(Path(path).absolute())


def this_machine() -> str:
    """Return the short name of this machine."""
    return socket.gethostname().partition(".")[0]


def lab_folder(cli_options: CliOptions) -> str:
    """Return the folder of the lab. Raises ConfigurationError."""
    return str(Path(find_rules(cli_options.flags, os.environ, here())).parent.absolute())


def needs_of(cli_options: CliOptions) -> "Demands":
    """Return what the modes of the lab take. Raises ConfigurationError."""
    from spark_mode.planning.demand import demands
    from spark_mode.session.rules_file import machine_capacity

    rules, project = cli_options.rules(), cli_options.project()
    if project is None:
        raise ConfigurationError(
            "the Compose files cannot be read, so what a mode takes is not known", "see why: spark-mode check"
        )
    found = demands(rules, project, machine_capacity(rules))
    if not found.modes:
        raise ConfigurationError("no mode of the lab can run, so there is nothing to queue", "see why: spark-mode check")
    return found


@click.group()
def config() -> None:
    """Print a queue's configuration, by the rules."""


def _only() -> Callable[[Verb], Verb]:
    return click.option("--only", type=click.Choice(["slurm.conf", "gres.conf", "epilog"]), help="That file alone.")


@config.command(
    cls=VerbWithExamples,
    short_help="Print slurm.conf, gres.conf and the epilog.",
    examples={
        "fleet config slurm": "What belongs where, each line with its reason",
        "fleet config slurm --only gres.conf": "One file, to be put in place by hand",
    },
)
@_only()
@site_options
@output_options
@click.pass_obj
def slurm(cli_options: CliOptions, /, only: str | None, **options: Any) -> None:
    """Print slurm.conf, gres.conf and the epilog for Slurm 23.11 to 24.11: pools and partitions from the rules.

    Slurm places and queues by them; the rules themselves each machine keeps, whatever Slurm thinks.
    """
    from spark_mode.fleet.slurm_config import files

    found = files(needs_of(cli_options), site_of(cli_options, options))
    if only:
        found = {path: text for path, text in found.items() if path.endswith(only)}
    cli_options.show(found, lambda: _printed(found))


def _printed(found: dict[str, str]) -> str:
    if len(found) == 1:
        return next(iter(found.values())).rstrip("\n")
    return "\n".join(f"# ── {path} ──\n{text}" for path, text in found.items()).rstrip("\n")


@click.command()
@site_options
@output_options
@click.pass_obj
def check(cli_options: CliOptions, /, **options: Any) -> None:
    """Compare the Slurm that runs with the rules.

    With what `fleet config slurm` would print now.
    """
    from spark_mode.fleet.slurm import SlurmPrograms
    from spark_mode.fleet.slurm_config import EPILOG, differences, epilog

    needs, site = needs_of(cli_options), site_of(cli_options, options)
    found = differences(needs, site, *SlurmPrograms().configuration())
    there = plain_text(Path(EPILOG))
    if this_machine() in site.nodes and there != epilog(site):
        found.append(f"{EPILOG} is {'not there' if there is None else 'another one'}")
    cli_options.exit_code = ConfigurationError.exit_code if found else 0
    hint = "  → what it would be: spark-mode fleet config slurm"
    cli_options.say({"differences": found}, lambda: "\n".join([*found, hint]) if found else "Slurm is as rules.yaml has it")
