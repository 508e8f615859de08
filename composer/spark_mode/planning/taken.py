"""Which request takes a word of the lab, for somebody who has put it in the wrong place."""

from collections.abc import Iterator
from typing import NamedTuple

from spark_mode.lab.rules import Rules
from spark_mode.planning.mode import mode_text
from spark_mode.planning.request import split_variant


class Taken(NamedTuple):
    """The `request` that takes a word, and `because` of what the word is."""

    because: str
    request: str


def taken_by(word: str, rules: Rules) -> Taken | None:
    """Return the request that takes a word of the lab, for one that stands in the wrong place; None for an unknown word."""
    mode, variant = split_variant(word, rules.modes)
    if mode in rules.modes and variant in rules.modes[mode].profiles:
        return Taken(f"it is a profile of {mode}", mode_text(rules, mode, variant))
    if mode in rules.modes:
        return Taken("it is a mode", word)
    if name := next((name for name, one in rules.modes.items() if word in one.profiles), None):
        return Taken(f"it is a profile of {name}", mode_text(rules, name, word))
    if word == "idle":
        return Taken("nothing runs then", "stop")
    workload = rules.find(word)
    if workload and workload.command:
        return Taken("it is a plain command", f"run --as {word} -- COMMAND")
    return Taken("it is a workload", f"up {word}") if workload and not workload.only_outside else None


def words_of(rules: Rules) -> Iterator[str]:
    """Yield what `taken_by` has a request for: profiles of modes, workloads and their other names."""
    for mode in rules.modes.values():
        yield from mode.profiles
    for workload in rules.workloads.values():
        yield from () if workload.only_outside and not workload.command else (workload.name, *workload.aliases)
