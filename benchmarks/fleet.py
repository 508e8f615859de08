"""What asking many machines costs: `make bench`.

Against a door behind which every question takes as long as one over ssh does with a connection of its own: our own way of asking
is measured, and not this machine's processor under 300 labs. Each figure is how often the time of one question.
"""

import io
import json
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import Any

from spark_mode.cli.anywhere import takes_value
from spark_mode.cli.context import CliOptions
from spark_mode.cli.main import cli
from spark_mode.cli.on_nodes import OnNodes
from spark_mode.fleet.nodes import Node
from spark_mode.fleet.ssh import Answer, Door, Told

QUESTION_SECONDS = 0.2
SIZES = (1, 3, 30, 300)
RUNS = 3
STATUS: dict[str, Any] = {"mode": "idle", "since": None, "services": [], "memory": {"total_gb": 128.0, "available_gb": 120.0}}
PLAN = {"digest": "d", "steps": [], "preemptions": [], "long_runs": [], "budget": {"remaining_gb": 100}}


class Slow(Door):
    """Machines that answer everything with yes, after a while."""

    def ask(self, node: Node, words: Sequence[str], seconds: float | None = None, told: Told | None = None) -> Answer:
        del node, seconds, told
        time.sleep(QUESTION_SECONDS)
        if words[0] == "agent":
            done = {"ended": {"exit_code": 0, "outcome": "applied", "mode": "training"}} if "go" in words else {}
            return Answer(0, json.dumps({"agent": 1, "state": "told", **done}))
        return Answer(0, json.dumps(STATUS if words[0] == "status" else PLAN, indent=2))


def took(size: int, *words: str, **more: bool) -> float:
    """Return the seconds that a command for so many machines takes."""
    options: dict[str, Any] = {"anywhere": False, "dry_run": False, "yes": False, "no_input": False, "wait": 0.0} | more
    cli_options = CliOptions.of({"format": "json", "quiet": True})
    cli_options.options_of_all = takes_value(cli)
    nodes = [Node(name=f"node{number:03}") for number in range(size)]
    begun = time.monotonic()
    with redirect_stdout(io.StringIO()):
        OnNodes(cli_options, Slow(), nodes, options).do(words)
    if cli_options.exit_code:
        raise SystemExit(f"{' '.join(words)}: exit code {cli_options.exit_code}")
    return time.monotonic() - begun


def main() -> None:
    kinds: dict[str, Callable[[int], float]] = {
        "status": lambda size: took(size, "status"),
        "a place for one (--any)": lambda size: took(size, "training", anywhere=True),
        "a switch of all": lambda size: took(size, "training"),
    }
    print(f"many machines, each question {QUESTION_SECONDS:g} s; times of one question, medians of {RUNS}")
    print(f"  {'':<24}" + "".join(f"{f'{size} nodes':>12}" for size in SIZES))
    for name, ask in kinds.items():
        runs = {size: statistics.median(ask(size) for _ in range(RUNS if size < 300 else 1)) for size in SIZES}
        print(f"  {name:<24}" + "".join(f"{seconds / QUESTION_SECONDS:>12.1f}" for seconds in runs.values()))


if __name__ == "__main__":
    main()
