"""The options of the whole command, wherever they stand on the line: which lab is meant has to be known before its verbs are."""

from collections.abc import Mapping, Sequence

import click


def to_the_front(arguments: Sequence[str], options: Mapping[str, bool]) -> list[str]:
    """Return the arguments with these options first; `options` says of each whether it takes a value.

    What follows `--` is no option. Raises BadOptionUsage where a value is missing.
    """
    first, rest, left = list[str](), list[str](), list(arguments)
    while left and left[0] != "--":
        one = left.pop(0)
        option, value_is_there = _split(one)
        (first if option in options else rest).append(one)
        if options.get(option) and not value_is_there:
            if not left:
                raise click.BadOptionUsage(option, f"Option '{option}' requires an argument.")
            first.append(left.pop(0))
    return [*first, *rest, *left]


def takes_value(command: click.Command) -> dict[str, bool]:
    """Return the options of a command by how they are written, and whether each takes a value; not what only shows something."""
    options = [one for one in command.params if isinstance(one, click.Option) and one.expose_value]
    return {name: not one.is_flag for one in options for name in one.opts}


def _split(argument: str) -> tuple[str, bool]:
    """Return the option that an argument may be, and whether its value is in the same word."""
    if argument.startswith("--"):
        option, equals, _ = argument.partition("=")
        return option, bool(equals)
    return argument[:2], len(argument) > 2
