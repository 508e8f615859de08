"""What `status -H` of three machines takes, against what plain ssh does: `make bench`, as root.

The machines are those of the tests, on this one: three statuses share its processor. So the same three are asked by hand, too.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

from tests.engine.nodes import Fleet, nodes

RUNS = 15
HAND = " & ".join(f"ssh n{number} spark-mode status" for number in (1, 2, 3)) + " & wait"
ASKED = {
    "one by ssh": ("ssh", "n1", "spark-mode", "status"),
    "one by -H": ("spark-mode", "-H", "n1", "status"),
    "three by ssh, at once": ("sh", "-c", HAND),
    "three by -H": ("spark-mode", "-H", "n1,n2,n3", "status"),
}


def took(fleet: Fleet, command: tuple[str, ...]) -> float:
    """Return the seconds that a command takes on the client."""
    begun = time.monotonic()
    outcome = fleet.client(*command)
    if outcome.code:
        raise SystemExit(f"{' '.join(command)}: {outcome}")
    return time.monotonic() - begun


def main() -> None:
    if os.geteuid() != 0:
        print("status of three machines: only root can have them on this one")
        return
    folder = Path(tempfile.mkdtemp(prefix="spark-mode-bench-"))
    with nodes(folder) as fleet:
        fleet.heal()
        runs = [{name: took(fleet, command) for name, command in ASKED.items()} for _ in range(RUNS)]
    folder.rmdir()
    medians = {name: statistics.median(run[name] for run in runs) for name in ASKED}
    one = medians["one by ssh"]
    print(f"status of machines, in times of one by ssh; medians of {RUNS}, on {os.cpu_count()} cores")
    for name, seconds in medians.items():
        print(f"  {name:<24}{seconds / one:>6.2f}")


if __name__ == "__main__":
    main()
