"""`spark-mode matrix`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from spark_mode.cli.context import CliOptions, output_options

if TYPE_CHECKING:
    from spark_mode.lab.rules import Rules
    from spark_mode.planning.budget import Budget
    from spark_mode.planning.together import Together

MANY_PAIRS = 30


@click.command()
@output_options
@click.pass_obj
def matrix(cli_options: CliOptions) -> None:
    """Show the sets of rules.yaml and their verdicts, then which modes may be active together."""
    from spark_mode.planning.together import modes_together
    from spark_mode.session.rules_file import machine_capacity

    rules = cli_options.rules()
    capacity = machine_capacity(rules)
    sets = list(_sets(rules, capacity))
    pairs = list(modes_together(rules, cli_options.project(), capacity))
    data = {
        "sets": [{"name": name, "wish": wish, **reckoned.as_json()} for name, wish, reckoned in sets],
        "modes": [pair.as_json() for pair in pairs],
    }
    cli_options.screen(data, lambda width: matrix_text(sets, pairs, width))


def _sets(rules: "Rules", capacity: int) -> Iterator[tuple[str, str, "Budget"]]:
    from spark_mode.planning.budget import budget
    from spark_mode.planning.named_workload import find_workload

    for one in rules.sets:
        yield one.name, one.wish, budget([find_workload(rules, name) for name in one.workloads], rules, capacity)


def matrix_text(sets: "list[tuple[str, str, Budget]]", pairs: "list[Together]", width: int | None = None) -> str:
    """Return the sets with their verdicts, and which modes go together."""
    from spark_mode.cli.tables import columns

    head = ("", "wish", "total", "remain", "memory", "compute", "decision")
    rows = [head, *((name, wish, *_judgement(reckoned)) for name, wish, reckoned in sets)]
    lines = [columns(rows, right=(2, 3), width=width, spare=(3,)), ""] if sets else []
    whys: dict[str, list[str]] = {}
    for name, _, reckoned in sets:
        for one in reckoned.reasons[:1]:
            whys.setdefault(one.advice or one.because, []).append(name)
    lines += [columns([(", ".join(names), why) for why, names in whys.items()], width=width), ""] if whys else []
    lines.append("Modes together:" if pairs else "rules.yaml has no two modes; of any names: spark-mode budget NAME…")
    verdicts: dict[tuple[str, str], list[Together]] = {}
    for pair in pairs:
        verdicts.setdefault(pair.verdict, []).append(pair)
    for (decision, why), alike in verdicts.items():
        lines.append(f"{decision}: {why}" if why else decision)
        lines += [f"  {line}" for line in _pairs(decision, alike)]
    lines += ["", "  → of any names: spark-mode budget NAME…"] if pairs else []
    return "\n".join(lines)


def _pairs(decision: str, alike: "list[Together]") -> list[str]:
    """Return pairs a line each, or in one line modes of which every two are a pair that is judged `no`."""
    from spark_mode.planning.together import exclude_each_other

    modes = exclude_each_other(alike) if decision == "no" else ()
    if not modes:
        return _apart_or_by_one(alike)
    is_one = len({one.mode for one in modes}) == 1
    names = ", ".join(one.profile or one.text if is_one else one.text for one in modes)
    return [f"{modes[0].mode}: at most one of {names}" if is_one else f"at most one of {names}"]


def _apart_or_by_one(alike: "list[Together]") -> list[str]:
    """Return pairs a line each; of many a line for all those with the same first mode."""
    if len(alike) <= MANY_PAIRS:
        return [f"{pair.one.text} + {pair.other.text}" for pair in alike]
    others: dict[str, list[str]] = {}
    for pair in alike:
        others.setdefault(pair.one.text, []).append(pair.other.text)
    return [f"{one} + {'any of ' * (len(names) > 1)}{', '.join(names)}" for one, names in others.items()]


def _judgement(reckoned: "Budget") -> tuple[str, str, str, str, str]:
    total, remaining = (f"{size / 10**9:.1f}" for size in (reckoned.total, reckoned.remaining))
    return total, remaining, reckoned.memory, reckoned.compute, reckoned.decision
