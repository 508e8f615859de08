"""What many services cost beside plain Compose, as ratios of one run: `make bench`, or `python -m benchmarks.many`.

First a lab of sixteen helpers and one that is described, none with a health check: a start from nothing, a start of what
exists, a stop, each in turn by spark-mode and by Compose. Then a hundred services with two hundred containers: the commands
that look beside `docker compose ps`, and a mode of ten more services beside ninety that run. How often a command is run says
`--runs`; what is shown are medians.
"""

import argparse
import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PROJECT = "spark-mode-bench-many"
DEADLINE = 300
RULES = """
hardware: {name: a machine, capacity: 25GB}
limits: {fits_easily: 5GB, fits: 10GB, tight: 20GB, headroom: 1GB, floor: 0.5GB, release_seconds: 20}
overhead:
  system: 0.1GB
  per_class: 0.1GB
  burst: {cuda_context: {low: 0.1GB, high: 0.1GB}, kv_cache: {low: 0.1GB, high: 0.1GB}}
default_footprint: 0.01GB
classes: {speech: {description: speaks}, training: {description: learns, runs_to_end: true}}
workloads:
  speech: {class: speech, service: speech, footprint: 0.1GB}
  trainer: {class: training, service: trainer, footprint: 2GB}
rules: [{name: alone, exclusive: [training, speech], because: training runs alone}]
modes: {speech: {class: speech, profiles: [speech]}, training: {class: training, profiles: [training]}}
"""


class Ratio(NamedTuple):
    """How long spark-mode takes, in parts of what Compose takes, and the limit."""

    name: str
    ratio: float
    limit: float


def service(*profiles: str) -> dict[str, object]:
    """Return a service that only sleeps."""
    return {
        "image": "audio-lab-stand-in:latest",
        "pull_policy": "never",
        "init": True,
        "entrypoint": ["sleep", "10000"],
        "stop_grace_period": "2s",
        "profiles": list(profiles),
    }


class Lab:
    """A lab in a folder of its own: helpers without a profile, and others that come with the described one."""

    def __init__(self, folder: Path, helpers: int, with_speech: int) -> None:
        services = {f"helper{number}": service() for number in range(helpers)}
        services |= {f"more{number}": service("speech") for number in range(with_speech)}
        services |= {"speech": service("speech"), "trainer": service("training")}
        self.folder = folder
        folder.mkdir()
        (folder / "compose.yaml").write_text(json.dumps({"name": PROJECT, "services": services}))
        (folder / "rules.yaml").write_text(RULES)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("COMPOSE_", "SPARK_MODE_"))}
        self._environment = kept | {"XDG_STATE_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "config")}

    def compose(self, *arguments: str) -> list[str]:
        return ["docker", "compose", "--profile", "speech", *arguments]

    def spark_mode(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).with_name("spark-mode")), *arguments]

    def run(self, command: Sequence[str]) -> float:
        """Run a command that must succeed; return the seconds that it took."""
        begun = time.monotonic()
        done = subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed: {done.stderr}")
        return time.monotonic() - begun

    def add_removed(self, count: int) -> None:
        """Have stopped containers in the project of services that its file no longer has."""
        file = self.folder / "former.yaml"
        file.write_text(json.dumps({"name": PROJECT, "services": {f"former{number}": service() for number in range(count)}}))
        self.run(["docker", "compose", "-f", file.name, "up", "--no-start"])

    def down(self) -> None:
        self.run(["docker", "compose", "--profile", "*", "down", "--remove-orphans", "--timeout", "2"])


def compare(
    lab: Lab, name: str, runs: int, limit: float, bare: list[str], ours: list[str], before: Callable[[], object]
) -> Ratio:
    """Measure two commands in turn, each from the same state."""
    figures: dict[str, list[float]] = {"docker compose": [], "spark-mode": []}
    for _ in range(runs):
        for way, command in zip(figures, (bare, ours), strict=True):
            before()
            figures[way].append(lab.run(command))
    medians = {way: statistics.median(times) for way, times in figures.items()}
    print(f"  {name:<44} " + "   ".join(f"{way} {median * 1000:6.0f} ms" for way, median in medians.items()))
    return Ratio(name, medians["spark-mode"] / medians["docker compose"], limit)


def starts_and_stops(lab: Lab, what: str, runs: int, stopped: Callable[[], object], limits: tuple[float, float]) -> list[Ratio]:
    """Compare the mode and the stop; `stopped` leads to where the mode is asked for."""
    up, mode = lab.compose("up", "-d"), lab.spark_mode("--quiet", "speech")

    def running() -> None:
        lab.run(up)

    return [
        compare(lab, f"{what} that exist, a start", runs, limits[0], up, mode, stopped),
        compare(lab, f"{what}, a stop", runs, limits[1], lab.compose("stop"), lab.spark_mode("--quiet", "stop"), running),
    ]


def helpers(folder: Path, runs: int) -> list[Ratio]:
    """Compare the lab of sixteen helpers."""
    lab = Lab(folder / "helpers", helpers=16, with_speech=0)

    def stopped() -> None:
        lab.run(lab.compose("up", "-d"))
        lab.run(lab.compose("stop"))

    try:
        lab.down()
        from_nothing = (lab.compose("up", "-d"), lab.spark_mode("--quiet", "speech"))
        return [
            compare(lab, "16 helpers, a start from nothing", runs, 1.2, *from_nothing, lab.down),
            *starts_and_stops(lab, "16 helpers", runs, stopped, (1.0, 1.0)),
        ]
    finally:
        lab.down()


def grown(folder: Path, runs: int) -> list[Ratio]:
    """Compare the lab of a hundred services with two hundred containers."""
    lab = Lab(folder / "grown", helpers=89, with_speech=9)
    few = [*(f"more{number}" for number in range(9)), "speech"]

    def few_stopped() -> None:
        lab.run(lab.compose("stop", *few))

    try:
        lab.down()
        lab.add_removed(100)
        lab.run(lab.compose("up", "-d"))
        lab.run(lab.spark_mode("status"))
        ps, mode = lab.compose("ps", "--all"), lab.spark_mode("--quiet", "speech")
        return [
            compare(lab, "200 containers, status beside ps", runs, 2.0, ps, lab.spark_mode("status"), lambda: None),
            compare(lab, "200 containers, plan beside ps", runs, 2.0, ps, lab.spark_mode("plan", "speech"), lambda: None),
            compare(lab, "200 containers, ten services start", runs, 1.2, lab.compose("up", "-d"), mode, few_stopped),
            compare(
                lab,
                "200 containers, everything stops",
                max(1, runs // 3),
                1.0,
                lab.compose("stop"),
                lab.spark_mode("--quiet", "stop"),
                lambda: lab.run(lab.compose("up", "-d")),
            ),
        ]
    finally:
        lab.down()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7, help="how often each way is taken (7)")
    runs = parser.parse_args().runs
    compileall.compile_dir(ROOT / "composer", quiet=1)  # as an installation does
    print(f"many services, medians of {runs}:")
    with tempfile.TemporaryDirectory() as folder:
        ratios = [*helpers(Path(folder), runs), *grown(Path(folder), runs)]
    print("\nratios to docker compose:")
    for name, ratio, limit in ratios:
        print(f"  {name:<44} {ratio:5.2f}   limit {limit:g}: {'met' if ratio <= limit else 'NOT MET'}")


if __name__ == "__main__":
    main()
