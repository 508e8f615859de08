"""What a mistake on the command line is told: what was meant, where the lab or another verb knows it."""

import click

from spark_mode.cli.context import CliOptions
from spark_mode.errors import SparkModeError
from spark_mode.lab.rules_reading import suggest
from spark_mode.lab.suggestion import nearest
from spark_mode.planning.resolve import taken_by

AGREEING = frozenset({"-y", "--yes", "--force"})
"""Options that agree to a loss or a risk; nobody is advised to give them for being near a mistake."""


def explained(error: click.UsageError) -> tuple[str, str | None]:
    """Return what is wrong, and what leads on."""
    context = error.ctx
    if context is None:
        return error.format_message(), None
    see = f"see {' '.join(_called(context))} --help"
    match error:
        case click.NoSuchOption():
            if hint := _place(error.option_name, context):
                return f"No such option '{error.option_name}'", hint
            near = suggest(error.option_name, [name for one in context.command.params for name in one.opts])
            advice = "" if any(f'"{one}"' in near for one in AGREEING) else near
            return f"No such option '{error.option_name}'{advice}", see
        case click.MissingParameter():
            return error.format_message(), _choices(error, context) or see
        case _:
            return error.format_message(), see


def meant(word: str, context: click.Context, verb: str = "") -> str | None:
    """Return the command that takes a word of the lab which is none itself; None for another word.

    Where the lab cannot be read any word may be a mode of it: raises what is wrong, but for a word that is near a command.
    """
    root = context.find_root()
    try:
        found = taken_by(word, CliOptions.of(root.params).rules())
    except SparkModeError:
        if isinstance(root.command, click.Group) and nearest(word, root.command.list_commands(root)):
            return None
        raise
    return f"{found.because}: spark-mode {verb}{found.request}" if found else None


def _called(context: click.Context) -> list[str]:
    """Return the words by which a command was called."""
    before = _called(context.parent) if context.parent else []
    return [*before, context.info_name or ""]


def _place(option: str, context: click.Context) -> str | None:
    """Return where an option that some verb knows has to stand."""
    root, (_, *verbs) = context.find_root(), _called(context)
    group = root.command
    known = {name: group.get_command(root, name) for name in group.list_commands(root)} if isinstance(group, click.Group) else {}
    owners = ", ".join(name for name, command in known.items() if command and _option(command, option))
    if not owners:
        return None
    return f"it belongs to {owners}" if verbs else f"it goes after the verb; it belongs to {owners}"


def _option(command: click.Command, name: str) -> bool:
    return any(name in one.opts for one in command.params)


def _choices(error: click.MissingParameter, context: click.Context) -> str | None:
    """Return what may stand where something is missing, as a shell would complete it."""
    found = error.param.shell_complete(context, "") if error.param else []
    words = [str(one.value) for one in found if one.type == "plain"]
    return f"it is one of {', '.join(words)}" if words else None
