"""Which commands `-H` has several machines do, with which options."""

from collections.abc import Mapping, Sequence
from typing import Any

from spark_mode.cli.anywhere import to_the_front
from spark_mode.errors import UsageFault
from spark_mode.fleet.before_names import NO_OPTIONS, options_in

LOOKS = ("status", "plan", "budget", "matrix", "map", "history", "check", "version", "rules", "calibrate", "help")
SWITCHES = ("to", "up", "stop", "restore")
ACTS = ("recover", "release")
"""Verbs that are the same on several machines: what looks, what switches all of them or none, and what acts on each by itself."""
LOOK_SECONDS, ACT_SECONDS = 120.0, 3600.0
"""How long a machine may take to answer."""
OPTIONS = {"--any": "anywhere", "--dry-run": "dry_run", "--yes": "yes", "--no-input": "no_input", "--wait": "wait"}
"""Options that are about a switch, and how they are called here."""
OF_OTHERS = {"plan": ("--dry-run", "--yes", "--no-input", "--wait"), "recover": ("--wait",)}
"""Which of them another verb has, too: it is given them."""
NOT_ANYWHERE = ("stop", "restore")
"""Switches that each machine has its own of: there is no choosing one for them."""
_REFUSED = {"--then": "it stays until a run has ended: ask the machine itself", "--expect": "each machine has a plan of its own"}


def parts(words: Sequence[str], options: Mapping[str, bool]) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """Return the options that name the lab there, the verb, and what follows it.

    Raises UsageFault where there is no verb, or an option that is for one machine.
    """
    left, lab = to_the_front(words, options), list[str]()
    while left and left[0].startswith("-") and left[0] != NO_OPTIONS:
        lab.append(left.pop(0))
        if options.get(lab[-1]) and left:
            lab.append(left.pop(0))
    if not left or left[0] == NO_OPTIONS:
        raise UsageFault("-H needs a command for the machines", "such as: spark-mode -H all status")
    verb, *rest = left
    if wrong := next((one for one in options_in(rest) if one.partition("=")[0] in _REFUSED), None):
        raise UsageFault(f"{wrong} is nothing for several machines", _REFUSED[wrong.partition("=")[0]])
    return tuple(lab), verb, tuple(rest)


def given(verb: str, options: Mapping[str, Any]) -> list[str]:
    """Return the options about a switch that were given, as words. Raises UsageFault for one that means nothing to a verb."""
    found = [option for option, name in OPTIONS.items() if options[name]]
    for one in found:
        if verb in (*LOOKS, *ACTS) and one not in OF_OTHERS.get(verb, ()):
            raise UsageFault(f"{one} is nothing for {verb}", "it belongs to what switches: a mode, to, up, stop and restore")
        if one == "--any" and verb in NOT_ANYWHERE:
            raise UsageFault(f"{one} is nothing for {verb}", "it is for what may run anywhere; name the machine: -H NAME")
    return [f"--wait={options['wait']:g}" if one == "--wait" else one for one in found]
