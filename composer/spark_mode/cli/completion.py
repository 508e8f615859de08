"""What may come next on the command line: the lab's profiles, modes and workloads, for shells and for Docker."""

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, ShellComplete, add_completion_class, get_completion_class

from spark_mode.cli.bash_words import BashWords
from spark_mode.cli.context import VARIABLE, CliOptions
from spark_mode.cli.glossary import glossary
from spark_mode.errors import SparkModeError
from spark_mode.fleet.nodes import known_fleet, names_of
from spark_mode.lab.verbs import SWITCHES, VERBS
from spark_mode.own_command import own_command
from spark_mode.planning.mode import services_of

if TYPE_CHECKING:
    from spark_mode.lab.rules import Rules
    from spark_mode.lab.workload import Workload
    from spark_mode.session.session import Session

add_completion_class(BashWords)
_CALL = re.compile(r"(=\w+_complete.*) (?:\$1|spark-mode)\)")
"""Where click's scripts call the program: by the word that was typed in bash, by its name elsewhere."""
_REGISTER = "    compdef "
_BETTER = {
    _REGISTER: f"    (( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit -i; }}\n{_REGISTER}",
    "    (( ! $+commands[spark-mode] )) && return 1\n": "",
    "== loadautofunc ]]": "== (loadautofunc|shfunc) ]]",
    'string split "," $completion': 'string split --max 1 "," $completion',
}
"""What is better in click's scripts: zsh is told only after its compinit, without which a .zshrc completes file names alone, and
completes the program wherever it lies; where it finds the script in its fpath it offers something at the second Tab as well, at
which it calls what it loaded at the first; fish does not end what it says of a name at a comma."""
_NO_FILES = 4
"""Cobra's directive that a shell shall not offer files where there is nothing else."""


def complete(kind: str, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return what an argument may be that begins so; nothing where the lab cannot be read."""
    cli_options = CliOptions.of(ctx.find_root().params)
    cli_options.quiet = True  # somebody is in the middle of a line
    try:
        found = _nodes(incomplete) if kind == "node" else _found(kind, ctx, cli_options, incomplete)
    except SparkModeError:
        return []
    return [CompletionItem(one) for one in found if one.startswith(incomplete)]


def variants_of_mode(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the variants of the mode before a colon, each as it is typed; nothing where there is none, or no lab."""
    return [one for one in complete("mode", ctx, incomplete) if ":" in one.value]


def _found(kind: str, ctx: click.Context, cli_options: CliOptions, incomplete: str) -> Sequence[str]:
    mode = ctx.params.get("mode") or ctx.info_name or ""
    if kind == "word":
        return [*cli_options.modes(), *VERBS, *(_typed(name) for name in glossary())]
    if kind == "mode":
        return [*(modes := [*cli_options.modes()]), *_with_variants(modes, incomplete, cli_options)]
    if kind == "switch" and not ctx.params.get("switch"):
        return [*(modes := [*cli_options.modes()]), *SWITCHES, *_with_variants(modes, incomplete, cli_options)]
    if kind == "profile":
        profiles = _profiles(mode, cli_options.rules())
        return [*profiles, *_with_variants(profiles, incomplete, cli_options, mode)]
    if kind == "workload":
        return _with_their_variants(one for one in cli_options.rules().workloads.values() if not one.model)
    return _names(cli_options.session(need_project=False), startable=ctx.info_name != "budget")


def _nodes(incomplete: str) -> Sequence[str]:
    """Return the machines of fleet.yaml; each may stand behind others and a comma."""
    before, comma, _ = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in names_of(known_fleet(os.environ))]


def _typed(name: str) -> str:
    """Return a word of the glossary, which may have several names, as one word of a command line."""
    return name.lower().partition(",")[0].replace(" ", "-")


def _with_variants(names: Sequence[str], incomplete: str, cli_options: CliOptions, mode: str | None = None) -> Sequence[str]:
    """Return the name before a colon with each variant that it has: a mode, or one of the profiles of a `mode`."""
    name, colon, _ = incomplete.rpartition(":")
    if not colon or name not in names:
        return []
    session = cli_options.session(need_project=False)
    rules, project = session.rules, session.project
    asked = rules.modes[mode or name]
    services = [one for choice in ([name] if mode else asked.choices) for one in services_of(asked, choice, project)]
    workloads = [workload for one in services if (workload := rules.of_service(one))]
    return [f"{name}:{variant}" for variant in dict.fromkeys(variant for one in workloads for variant in one.variants)]


def _profiles(mode: str, rules: "Rules") -> Sequence[str]:
    return rules.modes[mode].profiles if mode in rules.modes else ()


def _names(session: "Session", startable: bool) -> Sequence[str]:
    """Return all that may run: profiles, workloads, their variants, and services; of what is `startable` here only that."""
    project = session.project
    workloads = (one for one in session.rules.workloads.values() if not (startable and one.only_outside))
    services = (name for name, one in project.services.items() if one.startable)
    return [*dict.fromkeys([*project.profiles, *_with_their_variants(workloads), *services])]


def _with_their_variants(workloads: "Iterable[Workload]") -> Sequence[str]:
    found = [*workloads]
    return [*(one.name for one in found), *(f"{one.name}:{variant}" for one in found for variant in one.variants)]


def answer_docker(cli: click.Command, words: Sequence[str]) -> str:
    """Return what may come after `docker spark`, in the form that Docker's own commands answer."""
    *before, incomplete = words or [""]
    found = ShellComplete(cli, {"obj": CliOptions()}, "docker spark", VARIABLE).get_completions(list(before), incomplete)
    lines = [f"{one.value}\t{one.help}" if one.help else str(one.value) for one in found if one.type == "plain"]
    return "\n".join([*lines, f":{_NO_FILES}"])


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what a SHELL needs to complete spark-mode: in ~/.bashrc `eval "$(spark-mode completion bash)"`.

    In ~/.zshrc the same with zsh, behind its compinit where that is called; in fish `spark-mode completion fish | source`.
    """
    click.echo(completion_script(shell, ctx.find_root().command))


def completion_script(shell: str, cli: click.Command) -> str:
    """Return what a shell needs to complete the whole command."""
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"{shell} is not supported")
    return _calling_us(found(cli, {}, "spark-mode", VARIABLE).source())


def _calling_us(script: str) -> str:
    """Return click's script with our own command line for the word that was typed, which may be `./spark-mode`."""
    command = shlex.join(own_command())
    calling, times = _CALL.subn(lambda found: f"{found[1]} {command})", script)
    if times != 1:
        raise click.ClickException("this version of click completes another way; please tell us")
    for theirs, ours in _BETTER.items():
        calling = calling.replace(theirs, ours)
    return calling
