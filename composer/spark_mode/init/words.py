"""The words of a command as a shell would take them, its flags, and what `ollama pull` asks for."""

import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from spark_mode.init.model_name import OLLAMA_NAME


def words(*commands: Any) -> tuple[str, ...]:
    """Return the words of an entrypoint and a command, as Compose resolves them; a script in one of them is taken apart."""
    return tuple(word for command in commands for argument in _arguments(command) for word in _apart(argument))


def _arguments(command: Any) -> list[str]:
    if isinstance(command, str):
        return [command]
    return [str(one) for one in command] if isinstance(command, list) else []


def _apart(argument: str) -> list[str]:
    if not any(character.isspace() for character in argument):
        return [argument]
    reader = shlex.shlex(argument, posix=True, punctuation_chars=";&|()")
    reader.whitespace_split, reader.commenters = True, ""
    try:
        return list(reader)
    except ValueError:  # a quotation mark without its other
        return argument.split()


def flag(said: Sequence[str], *names: str) -> str | None:
    """Return the value of a flag, the last where it is given more than once, and "" where none follows; None without it."""
    value = None
    for word, following in zip(said, (*said, "")[1:], strict=True):
        name, equals, given = word.partition("=")
        if name.startswith("-") and name.lstrip("-").replace("_", "-") in names:
            value = given if equals else "" if following.startswith("--") else following
    return value


def pulled(said: Sequence[str]) -> Iterator[str]:
    """Yield the models that `ollama pull` asks for by name."""
    for program, verb, model in zip(said, said[1:], said[2:], strict=False):
        if program.rpartition("/")[2] == "ollama" and verb == "pull" and OLLAMA_NAME.fullmatch(model):
            yield model


def after(said: Sequence[str], verb: str) -> str | None:
    """Return the word after a verb, such as the model after `serve`, unless that is a flag."""
    return next((word for one, word in pairwise(said) if one == verb and word != verb and not word.startswith("-")), None)
