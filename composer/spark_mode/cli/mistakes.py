"""What a mistake on the command line is told: what was meant, where the lab, another verb or another tool knows it."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from spark_mode.cli import other_words
from spark_mode.cli.context import CliOptions
from spark_mode.errors import SparkModeError
from spark_mode.lab.few import few
from spark_mode.lab.suggestion import meant_by, suggest
from spark_mode.lab.verbs import SWITCHES
from spark_mode.planning.request import split_variant
from spark_mode.planning.taken import taken_by, words_of

if TYPE_CHECKING:
    from spark_mode.lab.rules import Rules

AGREEING = frozenset({"-y", "--yes", "--force"})
"""Options that agree to a loss or a risk; nobody is advised to give them for being near a mistake."""
MOST = 12
"""How many words are told that may stand in a place."""
_TOO_MANY = re.compile(r"unexpected extra arguments? \((.+)\)")


def explained(error: click.UsageError) -> tuple[str, str | None]:
    """Return what is wrong, and what leads on."""
    context = error.ctx
    if context is None:
        return error.format_message(), "see spark-mode --help"
    see = f"see {' '.join((*(one for one in _called(context)[:-1] if one != 'plan'), context.info_name or ''))} --help"
    match error:
        case click.NoSuchOption():
            message = f"No such option '{error.option_name}'"
            if hint := other_words.option_here(error.option_name) or _place(error.option_name, context):
                return message, hint
            near = suggest(error.option_name, list(_options(context)))
            return message if any(f'"{one}"' in near for one in AGREEING) else f"{message}{near}", see
        case click.MissingParameter():
            return error.format_message(), _choices(error, context) or see
        case _:
            too_many = _TOO_MANY.search(error.message)
            return error.format_message(), (too_many and _instead_of(too_many[1].split(), context)) or see


def meant(word: str, context: click.Context, names: Sequence[str] = (), plan: str = "") -> str | None:
    """Return the command that takes a word which is none itself, with the names behind it; None where nothing is known of it.

    `plan` is "plan " where only a switch is meant. Where the lab cannot be read any word may be a mode of it: raises what is
    wrong, but for a word of another tool, or one that is near a command.
    """
    root = context.find_root()
    near_command = isinstance(root.command, click.Group) and meant_by(word, root.command.list_commands(root))
    try:
        rules = CliOptions.of(root.params).rules()
    except SparkModeError:
        hint = _elsewhere(word, names, plan, None)
        if hint or near_command:
            return hint
        raise
    if found := taken_by(word, rules):
        return f"{found.because}: spark-mode {plan}{found.request}"
    if hint := _elsewhere(word, names, plan, rules):
        return hint
    if near_command:
        return None
    if kind := _in_files(word, root):
        return f"it is a {kind} of the Compose files: spark-mode {plan}up {word}"
    near = meant_by(word, words_of(rules))
    found = taken_by(near, rules) if near else None
    return f"if {near} is meant, {found.because}: spark-mode {plan}{found.request}" if found else None


def _in_files(word: str, root: click.Context) -> str | None:
    """Return what the Compose files have of a name that rules.yaml does not: a mistake may take the time to read them."""
    cli_options = CliOptions.of(root.params)
    cli_options.quiet = True  # what is told in the end is told by another
    project = cli_options.project()
    if project is None:
        return None
    return "profile" if word in project.profiles else "service" if word in project.services else None


def of_lab(word: str, context: click.Context) -> str | None:
    """Return the command that takes a word of the lab; None for another one, or where the lab cannot be read."""
    with suppress(SparkModeError):
        if found := taken_by(word, CliOptions.of(context.find_root().params).rules()):
            return f"{found.because}: spark-mode {found.request}"
    return None


def _elsewhere(word: str, names: Sequence[str], plan: str, rules: "Rules | None") -> str | None:
    """Return the command for what another tool has a word for, as far as the lab is known."""
    names = [one for one in names if not one.startswith("-")]
    verb = other_words.called_here(word)
    if verb is None or (plan and verb not in SWITCHES):
        return None if plan else other_words.beside(word, names)
    return f"here that is: spark-mode {plan}{_line(verb, names, rules)}"


def _line(verb: str, names: Sequence[str], rules: "Rules | None") -> str:
    """Return what to type: of a mode that is named the mode, and of names what takes them."""
    if names and rules and verb in ("to", "up"):
        is_mode = split_variant(names[0], rules.modes)[0] in rules.modes
        if (verb == "to" or is_mode) and (taken := taken_by(names[0], rules)):
            profile = names[1:2] if is_mode else []
            return " ".join((taken.request, *profile))
    if not other_words.takes_names(verb):
        return verb
    missing = {"to": "MODE", "up": "NAME", "plan": "SWITCH"}.get(verb, "")
    return " ".join((verb, *names)) if names else f"{verb} {missing}".rstrip()


def _instead_of(words: Sequence[str], context: click.Context) -> str | None:
    """Return where the words go that are more than a verb takes."""
    called = " ".join(_called(context))
    if not any(one.name == "extra" for one in context.command.params):
        return f"it takes no more names: {called}"
    before = " ".join(filter(None, (called, context.params.get("profile"))))
    with suppress(SparkModeError):
        rules = CliOptions.of(context.find_root().params).rules()
        if words[0] in {variant for one in rules.workloads.values() for variant in one.variants}:
            return f"a variant stands behind a colon: {before}:{words[0]}"
    return f"what is to run beside it: {before} {' '.join(f'--with {one}' for one in words)}"


def _called(context: click.Context) -> list[str]:
    """Return the words by which a command was called."""
    before = _called(context.parent) if context.parent else []
    return [*before, context.info_name or ""]


def _place(option: str, context: click.Context) -> str | None:
    """Return where an option that some verb knows has to stand."""
    root, (_, *verbs) = context.find_root(), _called(context)
    group = root.command
    if verbs and option in AGREEING:
        return "leave it out: there is nothing to agree to or to force"
    known = {name: group.get_command(root, name) for name in group.list_commands(root)} if isinstance(group, click.Group) else {}
    owners = ", ".join(name for name, command in known.items() if command and _option(command, option))
    if not owners:
        return None
    return f"it belongs to {owners}" if verbs else f"it goes after the verb; it belongs to {owners}"


def _option(command: click.Command, name: str) -> bool:
    return any(name in one.opts for one in command.params)


def _options(context: click.Context) -> Iterator[str]:
    """Yield the options that are understood here: those of the command, and of the whole one."""
    for command in dict.fromkeys((context.command, context.find_root().command)):
        yield from (name for one in command.params for name in one.opts if name.startswith("-"))


def _choices(error: click.MissingParameter, context: click.Context) -> str | None:
    """Return what may stand where something is missing, as a shell would complete it."""
    found = error.param.shell_complete(context, "") if error.param else []
    words = [str(one.value) for one in found if one.type == "plain"]
    return f"it is one of {few(words, MOST)}" if words else None
