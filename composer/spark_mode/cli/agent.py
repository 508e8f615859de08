"""`spark-mode agent …`: what `spark-mode -H` has done on each machine. Not for people: it answers with one line of JSON.

A request outlives whoever asked: it runs in a session of its own, and what it tells is kept.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import click

from spark_mode import __version__
from spark_mode.cli.context import CliOptions
from spark_mode.errors import UsageFault
from spark_mode.fleet.before_names import before_names
from spark_mode.sharing.kept_requests import DROP, GO, KeptRequest

PROTOCOL = 1
"""What this machine and the one that asks have to have in common: the words of `agent`, and its answers."""
BEGIN_SECONDS, DROP_SECONDS = 60.0, 20.0
"""How long a request may take to have its plan under the lock, and one that is dropped to have let go."""
POLL_SECONDS = 0.02
BEGUN = ("admitted", "ended")
STOP = ("planned", "ended")
"""What a request tells once it can be followed: a stop waits for no word."""


@click.group(hidden=True)
@click.option("--protocol", type=int, default=PROTOCOL)
def agent(protocol: int) -> None:
    """Do what another machine asks for, which has it done on several."""
    if protocol != PROTOCOL:
        message = f"spark-mode {__version__} here speaks protocol {PROTOCOL}, and was asked in {protocol}"
        raise UsageFault(message, "have the same version on both machines")


@agent.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("name", metavar="ID")
@click.option("--lease", type=click.FloatRange(min=1, max=600), default=30.0)
@click.option("--verb", required=True)
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED)
def begin(name: str, lease: float, verb: str, words: tuple[str, ...]) -> None:
    """Begin a switch: it takes the lock, makes its plan and waits for its word."""
    request = KeptRequest(name)
    awaits = () if verb == "stop" else ("--admit", f"{name}:{lease:g}")
    request.begin(words, partial(_be, "--format", "jsonl", *before_names(words, "--yes", *awaits)))
    _follow(request, STOP if verb == "stop" else BEGUN, BEGIN_SECONDS)


@agent.command()
@click.argument("name", metavar="ID")
def go(name: str) -> None:
    """Say that all machines may switch, and follow this one to its end."""
    request = _known(name)
    request.say(GO)
    _follow(request, ("ended",), None, _tell)


@agent.command()
@click.argument("name", metavar="ID")
def drop(name: str) -> None:
    """Say that nothing is to be done."""
    request = KeptRequest(name)
    if request.words is None:
        return _answer(request, "unknown")
    request.say(DROP)
    return _follow(request, ("ended",), DROP_SECONDS)


@agent.command()
@click.argument("name", metavar="ID")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def back(name: str, words: tuple[str, ...]) -> None:
    """Bring back what ran before a switch, unless another one came since; follow that to its end."""
    request = _known(name)
    ended = next((one for one in request.events() if one.get("event") == "ended"), {})
    if ended.get("outcome") != "applied" or not ended.get("switch"):
        return _follow(request, ("ended",), DROP_SECONDS)
    undo = KeptRequest(f"{name}-back")
    undone = ("restore", "--undo", str(ended["switch"]))
    undo.begin(undone, partial(_be, "--format", "jsonl", *words, *undone, "--yes", "--wait=60"))
    return _follow(undo, ("ended",), None, _tell)


def _known(name: str) -> KeptRequest:
    request = KeptRequest(name)
    if request.words is None:
        raise UsageFault(f"no request {name} was begun here", "ask again: spark-mode -H NODES …")
    return request


def _be(*words: str) -> NoReturn:
    """Be spark-mode that was called with these words."""
    from spark_mode.cli.main import code_of, leave

    leave(code_of([*words], "spark-mode", CliOptions()))


def _follow(
    request: KeptRequest, until: tuple[str, ...], seconds: float | None, tell: Callable[[dict[str, Any]], None] | None = None
) -> None:
    """Answer when a request has told one of these events, or has ended without; at the latest after so many seconds."""
    deadline = None if seconds is None else time.monotonic() + seconds
    told = 0
    while True:
        runs, events = request.runs, request.events()  # in this order: what has ended tells nothing more
        if tell:
            for one in events[told:]:
                tell(one)
        told = len(events)
        if any(one.get("event") in until for one in events):
            return _answer(request, "told")
        if not runs:
            return _answer(request, "gone")
        if deadline is not None and time.monotonic() >= deadline:
            return _answer(request, "late")
        time.sleep(POLL_SECONDS)


def _tell(event: dict[str, Any]) -> None:
    if event.get("event") in ("started", "failed", "warned", "rolling-back"):
        click.echo(json.dumps({"told": event}))


def _answer(request: KeptRequest, state: str) -> None:
    """Say how far a request is: `told` what was waited for, `gone` without, `late`, or `unknown` here."""
    events = {str(one.get("event")): one for one in request.events()}
    said = {name: events[name] for name in ("planned", "ended") if name in events}
    words = request.last_words() if state == "gone" else ""
    click.echo(json.dumps({"agent": PROTOCOL, "version": __version__, "state": state, "words": words, **said}))
