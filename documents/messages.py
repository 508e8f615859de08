"""The messages with which a command ends: those that docs/troubleshooting.md explains, and those of the program."""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from documents.spark import ROOT
from spark_mode import errors

PACKAGE = ROOT / "composer/spark_mode"
PAGE = ROOT / "docs/troubleshooting.md"
ENDS = {name for name, one in inspect.getmembers(errors, inspect.isclass) if one.__module__ == errors.__name__}
ENDS |= {"Refusal", "UsageError", "Judgement"}
"""What is made of a message with which a command ends: an error, why a step of a switch failed, or the refusal of a plan."""
LEAST = 12
"""So many characters say which message it is. What is shorter is the name of a file, and what the system says of it."""


def explained() -> dict[str, list[str]]:
    """Return the messages of the page as they stand there, with why and what to do."""
    lines = (line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `"))
    return {" ".join(message.strip("` ").split()): rest for message, *rest in lines}


@cache
def said() -> set[tuple[str, str]]:
    """Return the longest piece of each message with which a command may end, with the file that has it."""
    return {(str(file.relative_to(PACKAGE)), one) for file in PACKAGE.rglob("*.py") for one in _messages(file)}


@cache
def texts() -> str:
    """Return all texts of the program, a line each."""
    trees = map(_tree, PACKAGE.rglob("*.py"))
    found = (one.value for tree in trees for one in ast.walk(tree) if isinstance(one, ast.Constant))
    return "\n".join(" ".join(text.split()) for text in found if isinstance(text, str))


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def _literals(node: ast.AST, named: dict[str, list[ast.AST]]) -> Iterator[list[str]]:
    """Yield what a message says in each of the ways in which it may be made, as the pieces between what is filled in."""
    match node:
        case ast.Constant(value=str(text)):
            yield [text]
        case ast.JoinedStr(values=values):
            yield [str(one.value) for one in values if isinstance(one, ast.Constant)]
        case ast.BinOp(left=left, right=right):
            yield [piece for side in (left, right) for pieces in _literals(side, named) for piece in pieces]
        case ast.IfExp(body=body, orelse=other):
            yield from _literals(body, named)
            yield from _literals(other, named)
        case ast.Name(id=name):
            for value in named.get(name, ()):
                yield from _literals(value, {})


def _messages(file: Path) -> Iterator[str]:
    """Yield the longest piece of each message in a file with which a command may end."""
    tree = _tree(file)
    for function in (tree, *(one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef))):
        named: dict[str, list[ast.AST]] = {}
        inside = [*ast.walk(function)]
        for one in inside:
            if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name):
                named.setdefault(one.targets[0].id, []).append(one.value)
        for call in (one for one in inside if isinstance(one, ast.Call)):
            called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            for pieces in (one for node in _message(called, call) for one in _literals(node, named)):
                if pieces and len(longest := max((" ".join(one.split()) for one in pieces), key=len)) >= LEAST:
                    yield longest


def _message(called: str, call: ast.Call) -> list[ast.expr]:
    """Return the argument that is the message, of a call that ends a command or a step; none of any other."""
    match called, call.args:
        case "Judgement", [ast.Constant(value="failed"), reason]:
            return [reason]
        case name, given if name in ENDS - {"Judgement"}:
            return [*given, *(one.value for one in call.keywords if one.arg == "message")][:1]
    return []
