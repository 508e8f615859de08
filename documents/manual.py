"""The manual page: what `--help` says of the whole command and of each of its verbs, as man(7) has it."""

import click

from spark_mode import __version__
from spark_mode.cli.main import cli
from spark_mode.lab.verbs import VERBS


def manual() -> str:
    """Return spark-mode(1)."""
    top = click.Context(cli, info_name="spark-mode", **cli.context_settings)  # which each command keeps from its first context on
    verbs = [_verb(top, name) for name in VERBS]
    whole = [*_prose(cli.help), ".SH OPTIONS", *_options(cli, top), ".SH COMMANDS", *(line for verb in verbs for line in verb)]
    head = f'.TH SPARK-MODE 1 "" "spark-mode {__version__}" "User Commands"'
    name = [".SH NAME", r"spark-mode \- decide what runs on a DGX Spark"]
    return "\n".join(
        [head, *name, ".SH SYNOPSIS", ".B spark-mode", _roff(cli.collect_usage_pieces(top)), ".SH DESCRIPTION", *whole, ""]
    )


def _verb(top: click.Context, name: str, before: str = "") -> list[str]:
    """Return the section of a verb, with those of its own verbs."""
    command = top.command.get_command(top, name) if isinstance(top.command, click.Group) else None
    if command is None:
        return []
    ctx = click.Context(command, info_name=name, parent=top)
    whole = f"{before}{name}"
    own = command.list_commands(ctx) if isinstance(command, click.Group) else []
    lines = [f".SS {whole} {_roff(command.collect_usage_pieces(ctx))}", *_prose(command.help), *_options(command, ctx)]
    return [*lines, *(line for one in own for line in _verb(ctx, one, f"{whole} "))]


def _options(command: click.Command, ctx: click.Context) -> list[str]:
    records = [found for one in command.get_params(ctx) if (found := one.get_help_record(ctx))]
    return [line for names, said in records for line in (".TP", f".B {_escaped(names)}", *_prose(said))]


def _prose(text: str | None) -> list[str]:
    """Return the paragraphs of a help text; a line that begins with a point would be an instruction."""
    paragraphs = [_escaped(" ".join(part.split())) for part in (text or "").replace("\b", "").split("\n\n")]
    return "\n.PP\n".join(paragraphs).splitlines()


def _roff(pieces: list[str]) -> str:
    return _escaped(" ".join(pieces))


def _escaped(text: str) -> str:
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("…", r"\&...")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped
