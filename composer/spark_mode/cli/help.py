"""`spark-mode help [COMMAND|WORD]`."""

from contextlib import suppress

import click

from spark_mode.cli.completed_by import completed_by
from spark_mode.cli.context import CliOptions, output_options
from spark_mode.cli.verb import Verb
from spark_mode.errors import SparkModeError, UsageFault


@click.command(
    cls=Verb,
    examples={
        "help plan": "The command",
        "help headroom": "The word, as `budget` and a plan have it",
        "help {name}": "How to ask for a workload of the lab",
    },
)
@click.argument("words", nargs=-1, metavar="[COMMAND|WORD]", shell_complete=completed_by("word"))
@output_options
@click.pass_context
def help(ctx: click.Context, words: tuple[str, ...]) -> None:  # noqa: A001 - a verb has the name of its function
    """Explain a command, or any word of the output: `help plan`, `help headroom`, `help oom-risk`."""
    from spark_mode.cli.glossary import meaning

    word = " ".join(words)
    of_command, found = _of_command(words, ctx.find_root()), meaning(word)
    if found is None and of_command is None:
        found = word, _of_lab(word, ctx)
    name, said = found or (word, None)
    parts = [of_command, f"{name}: {said}" if said else None]
    data = {"word": name, "command": of_command, "meaning": said}
    ctx.ensure_object(CliOptions).say(data, lambda: "\n\n".join(filter(None, parts)))


def _of_command(words: tuple[str, ...], root: click.Context) -> str | None:
    """Return the help of a command, such as `guard install`; None where the words are none."""
    context = root
    for word in words:
        command = context.command.get_command(context, word) if isinstance(context.command, click.Group) else None
        if command is None:
            return None
        context = command.make_context(word, [], parent=context, resilient_parsing=True)
    return context.get_help()


def _of_lab(word: str, ctx: click.Context) -> str:
    """Return what a word of the lab, or of another tool, is here. Raises UsageFault for one that nothing is known of."""
    from spark_mode.cli.glossary import glossary
    from spark_mode.cli.mistakes import meant
    from spark_mode.lab.suggestion import meant_by

    with suppress(SparkModeError):
        if said := meant(word, ctx):
            return said
    root = ctx.find_root()
    verbs = root.command.list_commands(root) if isinstance(root.command, click.Group) else []
    near = meant_by(word.lower(), [*map(str.lower, glossary()), *verbs])
    raise UsageFault(f'nothing is known of "{word}"', f"spark-mode help {near}" if near else "the commands: spark-mode help")
