"""The edge: the command's name, its global options, and how an error leaves the process.

`--help` and the commands that only look import as little as they can; each verb is loaded when it is called.
"""

import gc
import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from spark_mode import __version__
from spark_mode.cli.anywhere import takes_value, to_the_front
from spark_mode.cli.best_effort_stream import BestEffortStream
from spark_mode.cli.completed_by import completed_by
from spark_mode.cli.context import FORMATS, TYPED_IN, VARIABLE, CliOptions
from spark_mode.cli.docker_plugin import own_arguments
from spark_mode.cli.end_event import end_event
from spark_mode.cli.naming_nodes import asks_nodes
from spark_mode.cli.whole_words import WholeWords
from spark_mode.errors import SparkModeError, UsageFault
from spark_mode.lab.verbs import GROUPS, VERBS
from spark_mode.readable import readable
from spark_mode.switching.interruption import LeftAtOnce

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from spark_mode.session.known_modes import KnownMode

EXAMPLES = {
    "{mode}": "Switch to it; what a rule keeps apart from it is stopped",
    "plan {end}": "What that would stop, and why; changes nothing",
    "status": "What runs, and the machine's memory",
    "help headroom": "What a word of the output means",
}

AGENT = "agent"
"""A verb that no help shows: `-H` has it called on other machines."""
A_FILE = click.Path()
"""What a shell completes with the names of files; whether it is there is found later."""
click.Context.formatter_class = WholeWords  # of every command's help, whatever it was made with

NO_MODES_HERE = "none here: `spark-mode init` writes a first rules.yaml, `spark-mode init --example` unpacks a lab to try"


class Verbs(click.Group):
    """The verbs, each loaded from its own file when it is called."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options of the whole command first, wherever they stand: the verb may be a mode of the lab that they name."""
        try:
            args = to_the_front(args, takes_value(self))
        except click.BadOptionUsage:
            if not ctx.resilient_parsing:  # a shell asks what may come next
                raise
        left = super().parse_args(ctx, args)
        ctx.ensure_object(CliOptions).take(ctx.params)
        return left

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return what may come next, each verb with its line of `--help`; behind a colon that are the variants of a mode."""
        from click.shell_completion import CompletionItem

        from spark_mode.cli.completion import variants_of_mode

        lines = {one.name: one.line for one in _modes(ctx).values()} | VERBS
        verbs = [CompletionItem(name, help=line) for name, line in lines.items() if name.startswith(incomplete)]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete), *variants_of_mode(ctx, incomplete)]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_modes(ctx), *VERBS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in (*VERBS, AGENT):
            command: click.Command = getattr(import_module(f"spark_mode.cli.{cmd_name}"), cmd_name)
            return command
        modes = _modes(ctx)
        base, _, variant = cmd_name.rpartition(":")
        mode = modes.get(cmd_name) or modes.get(base)
        if mode is None or (mode.name == base and variant in mode.profiles):
            return None
        from spark_mode.cli.to import verb_of

        return verb_of(mode, cmd_name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        asked, *names = args
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:  # which may have read `args` for options
            from spark_mode.cli.mistakes import meant  # a mistake may take its time
            from spark_mode.lab.suggestion import suggest

            if hint := meant(asked, ctx, names):
                raise UsageFault(f'no such command "{asked}"', hint) from None
            raise click.UsageError(f'no such command "{asked}"{suggest(asked, self.list_commands(ctx))}', ctx) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what can be done before the options of all that."""
        from spark_mode.cli.verb import write_examples

        write_examples(EXAMPLES, ctx, formatter)
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Modes of this lab"):
            if modes := _modes(ctx):
                formatter.write_dl([(one.name, one.line) for one in modes.values()])
            else:
                formatter.write_text(NO_MODES_HERE)
        for title, verbs in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl(list(verbs.items()))


def _modes(ctx: click.Context) -> "dict[str, KnownMode]":
    return CliOptions.of(ctx.find_root().params).modes()


def _go_to(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Be in the directory that is named, as if the command had been called there."""
    if value is None:
        return None
    with suppress(OSError):  # it was removed, and nothing can be run there
        ctx.meta[TYPED_IN] = str(Path.cwd())
    try:
        os.chdir(value)
    except OSError as error:
        raise click.BadParameter(f"{value}: {error.strerror}", ctx, param) from None
    return value


# Which lab is meant is read first (is_eager): `--help` shows its modes.
@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-f", "--file", "files", multiple=True, is_eager=True, metavar="FILE", type=A_FILE, help="A Compose file; may be repeated."
)
@click.option(
    "-C",
    "--directory",
    is_eager=True,
    callback=_go_to,
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Be in this directory, such as that of another lab.",
)
@click.option("--project-directory", is_eager=True, metavar="PATH", type=A_FILE, help="Compose's project directory.")
@click.option("-p", "--project-name", metavar="NAME", help="Compose's project name.")
@click.option(
    "--env-file", "env_files", multiple=True, is_eager=True, metavar="FILE", type=A_FILE, help="An environment file for Compose."
)
@click.option(
    "--rules", is_eager=True, metavar="FILE", type=A_FILE, help="The rules file; else rules.yaml near the Compose file."
)
@click.option(
    "-H",
    "--on",
    metavar="NODES",
    expose_value=False,
    shell_complete=completed_by("node"),
    help="Ask several machines, over ssh; see -H all --help.",
)
@click.option("--format", "format", type=click.Choice(FORMATS), default="table", help="How to print results.")
@click.option("--quiet", is_flag=True, help="No progress; only results, warnings and errors.")
@click.version_option(__version__, prog_name="spark-mode")
def cli(**_: Any) -> None:
    """Decide what runs on a DGX Spark.

    What rules.yaml keeps apart, such as training and audio, is never active together, and nothing starts that does not fit in
    memory.

    The options below are understood before and after the command.
    """


def run() -> NoReturn:
    """Run as `spark-mode`, or as `docker spark` when Docker calls it so. Never returns."""
    gc.set_threshold(5000)  # what is imported stays, and to look through it again and again for what does not takes 5 ms
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for plugins takes longer than reading the rules
    arguments, name, cli_options = sys.argv[1:], "spark-mode", CliOptions()
    if called := own_arguments(arguments):
        (wanted, arguments), name = called, "docker spark"
        if wanted == "complete":
            from spark_mode.cli.completion import answer_docker  # which no other command needs

            click.echo(answer_docker(cli, arguments))
            leave(0)
    if VARIABLE in os.environ:
        import_module("spark_mode.cli.completion")  # which knows how bash asks
    leave(code_of(arguments, name, cli_options))


def code_of(arguments: list[str], name: str, cli_options: CliOptions) -> int:
    """Run the command and return its exit code; every expected error is a message here, never a traceback."""
    try:
        _require_text(arguments)
        command: click.Command = cli
        if asks_nodes(arguments):
            from spark_mode.cli.on_nodes import on_nodes

            command, cli_options.options_of_all = on_nodes, takes_value(cli)
        command.main(arguments, prog_name=name, standalone_mode=False, obj=cli_options)
    except SparkModeError as error:
        _say(cli_options, error.message, error.hint, error.exit_code)
        return error.exit_code
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            click.echo(error.format_message(), err=True)
        elif isinstance(error, click.UsageError):
            from spark_mode.cli.mistakes import explained  # a mistake may take its time

            _say(cli_options, *explained(error), 2)
        else:
            _say(cli_options, error.format_message(), None, 2)
        return 2
    except (KeyboardInterrupt, click.Abort, LeftAtOnce):
        _say(cli_options, "interrupted", "see what runs: spark-mode status", 130)
        return 130
    return cli_options.exit_code


def _require_text(arguments: list[str]) -> None:
    """Raise UsageFault for an argument with control characters: no name has any, and a line break could pass for our words."""
    if "run" in (before := arguments[: arguments.index("--")] if "--" in arguments else []):
        arguments = before  # what follows is somebody's own command
    if strange := next(
        (one for one in arguments if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in one)), None
    ):
        raise UsageFault(f'"{readable(strange)}" has control characters', "type it anew")


def _say(cli_options: CliOptions, message: str, hint: str | None, code: int) -> None:
    from spark_mode.cli.on_screen import on_screen

    out = BestEffortStream(sys.stderr)
    cli_options.sign.gone()
    out.write(on_screen(f"spark-mode: {message}" + (f"\n  → {hint}" if hint else ""), sys.stderr) + "\n")
    out.flush()
    if cli_options.is_json and not cli_options.printed:
        data: dict[str, Any] = {"error": {"message": message, "hint": hint, "exit_code": code}}
        if cli_options.format == "jsonl":
            data = end_event(code, data, cli_options.outcome)
        BestEffortStream(sys.stdout).write(f"{cli_options.as_json(data)}\n")


def leave(code: int) -> NoReturn:
    """End without taking the interpreter apart, which costs a tenth of a second and has nothing left to save."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, AttributeError):  # said already, where there was anywhere to say it
            stream.flush()
    os._exit(code)
