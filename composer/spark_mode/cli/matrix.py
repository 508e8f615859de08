"""`spark-mode matrix`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from spark_mode.cli.context import CliOptions, output_options

if TYPE_CHECKING:
    from spark_mode.lab.rules import Rules
    from spark_mode.planning.budget import Budget


@click.command()
@output_options
@click.pass_obj
def matrix(cli_options: CliOptions) -> None:
    """Show the sets of rules.yaml and their verdicts, then which modes may be active together."""
    from spark_mode.session.rules_file import machine_capacity

    rules = cli_options.rules()
    capacity = machine_capacity(rules)
    sets = list(_sets(rules, capacity))
    pairs = list(_pairs(rules, capacity))
    data = {
        "sets": [{"name": name, "wish": wish, **reckoned.as_json()} for name, wish, reckoned in sets],
        "modes": [{"one": one, "other": other, **reckoned.as_json()} for one, other, reckoned in pairs],
    }
    cli_options.screen(data, lambda: _text(sets, pairs))


def _sets(rules: "Rules", capacity: int) -> Iterator[tuple[str, str, "Budget"]]:
    from spark_mode.planning.budget import budget
    from spark_mode.planning.resolve import find_workload

    for one in rules.sets:
        yield one.name, one.wish, budget([find_workload(rules, name) for name in one.workloads], rules, capacity)


def _pairs(rules: "Rules", capacity: int) -> Iterator[tuple[str, str, "Budget"]]:
    """Judge every pair of modes by the workloads that are named like their profiles, and the models these need."""
    from itertools import combinations

    from spark_mode.planning.budget import budget
    from spark_mode.planning.mode import mode_text

    modes = {
        mode_text(rules, name, profile): (profile, rules.profiles.get(profile))
        for name, mode in rules.modes.items()
        for profile in mode.profiles
    }
    for one, other in combinations(modes, 2):
        names = [name for profile, needs in (modes[one], modes[other]) for name in (profile, *(needs.models if needs else ()))]
        workloads = {name: found for name in names if (found := rules.find(name))}
        yield one, other, budget(workloads.values(), rules, capacity)


def _text(sets: list[tuple[str, str, "Budget"]], pairs: list[tuple[str, str, "Budget"]]) -> str:
    from spark_mode.cli.tables import columns

    head = ("", "wish", "total", "remain", "memory", "compute", "decision", "")
    rows = [head, *((name, wish, *_judgement(reckoned)) for name, wish, reckoned in sets)]
    lines = [columns(rows, right=(2, 3)), "", "Modes together:"]
    verdicts: dict[tuple[str, str], list[str]] = {}
    for one, other, reckoned in pairs:
        why = reckoned.reasons[0].because if reckoned.reasons else ""
        verdicts.setdefault((reckoned.decision, why), []).append(f"{one} + {other}")
    for (decision, why), names in verdicts.items():
        lines.append(f"{decision}: {why}" if why else decision)
        lines += [f"  {name}" for name in names]
    return "\n".join(lines)


def _judgement(reckoned: "Budget") -> tuple[str, str, str, str, str, str]:
    why = "; ".join(one.advice or one.because for one in reckoned.reasons[:1])
    total, remaining = (f"{size / 10**9:.1f}" for size in (reckoned.total, reckoned.remaining))
    return total, remaining, reckoned.memory, reckoned.compute, reckoned.decision, why
