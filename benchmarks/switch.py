"""What a switch costs beside what one would type today, as ratios of one run: `make bench`.

The same switch, omni to training, is done in turn by spark-mode and by `docker compose --profile omni stop` followed by
`docker compose --profile training up -d --wait`, once with the containers there and once with the new one removed.
Wall time is from the start of the command to its end. The gap is from the last answer of the old service's health
endpoint to the first of the new one. Then the commands that only look, beside `docker compose ps`.
"""

import argparse
import compileall
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spark_mode.engine.docker import EngineApi
from spark_mode.engine.local import local_socket

ROOT = Path(__file__).parents[1]
PROJECT = "spark-mode-bench"
ADDRESSES = {"omni": "10.213.11.2", "training": "10.213.11.3"}
OVERRIDE = """
networks: {default: {ipam: {config: [{subnet: 10.213.11.0/24}]}}}
services:
  omni: {networks: {default: {ipv4_address: 10.213.11.2}}}
  training: {networks: {default: {ipv4_address: 10.213.11.3}}}
"""
DEADLINE = 120
Command = Sequence[Sequence[str]]


class Lab:
    """The stand-in lab under a project of the benchmark's own, with addresses that can be asked."""

    def __init__(self, folder: Path) -> None:
        override = folder / "addresses.yaml"
        override.write_text(OVERRIDE)
        files = [ROOT / "compose/audio-lab.yaml", ROOT / "compose/stand-in.yaml", override]
        self._flags = ["-p", PROJECT, *(part for file in files for part in ("-f", str(file)))]
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("COMPOSE_", "SPARK_MODE_"))}
        compileall.compile_dir(ROOT / "composer", quiet=1)  # as an installation does
        self._environment = kept | {"XDG_STATE_HOME": str(folder)}

    def compose(self, *arguments: str) -> list[str]:
        return ["docker", "compose", *self._flags, *arguments]

    def spark_mode(self, *arguments: str) -> list[str]:
        tool = Path(sys.executable).with_name("spark-mode")
        return [str(tool), *self._flags, "--rules", str(ROOT / "compose/stand-in.rules.yaml"), *arguments]

    def run(self, command: Sequence[str], fails: bool = False) -> None:
        done = subprocess.run(
            command, check=False, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE
        )
        if (done.returncode != 0) is not fails:
            raise SystemExit(f"{' '.join(command)} failed: {done.stderr.decode()}")

    def prepare(self, removed: bool) -> None:
        """Have omni healthy and training stopped, or with `removed` not there at all."""
        self.run(self.compose("--profile", "*", "stop", "training"))
        self.run(self.compose("--profile", "*", "rm", "--force", "training"))
        if not removed:
            self.run(self.compose("--profile", "*", "up", "--no-start", "training"))
        self.run(self.compose("--profile", "omni", "up", "-d", "--wait"))

    def remove(self) -> None:
        self.run(self.compose("--profile", "*", "down", "--volumes", "--timeout", "5"))


def answers(service: str) -> bool:
    """Whether a service's health endpoint answers now."""
    connection = http.client.HTTPConnection(ADDRESSES[service], 8000, timeout=0.1)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def measure(lab: Lab, commands: Command) -> tuple[float, float]:
    """Run commands one after the other; return wall time and gap in seconds."""
    last_old = [time.monotonic()]
    first_new: list[float] = []

    def watch() -> None:
        while not first_new:
            if answers("omni"):
                last_old[0] = time.monotonic()
            if answers("training"):
                first_new.append(time.monotonic())
            time.sleep(0.005)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    begun = time.monotonic()
    for command in commands:
        lab.run(command)
    wall = time.monotonic() - begun
    watcher.join(DEADLINE)
    return wall, first_new[0] - last_old[0]


def switches(lab: Lab, runs: int, removed: bool) -> list[tuple[str, float, float | None]]:
    """Return the ratios of a switch: name, ratio and limit."""
    ways: dict[str, Command] = {
        "docker compose": [
            lab.compose("--profile", "omni", "stop"),
            lab.compose("--profile", "training", "up", "-d", "--wait"),
        ],
        "spark-mode": [lab.spark_mode("--quiet", "training")],
    }
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, commands in ways.items():
            lab.prepare(removed)
            figures[name].append(measure(lab, commands))
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in figures.items()}
    title = "new container removed" if removed else "containers exist"
    print(f"\nomni to training, {title}, medians of {runs}:")
    for name, (wall, gap) in medians.items():
        print(f"  {name:<16} wall {wall * 1000:6.0f} ms   gap {gap * 1000:6.0f} ms")
    (bare_wall, bare_gap), (wall, gap) = medians.values()
    limits = (1.15, 0.97) if removed else (0.95, 1.02)
    return [(f"wall, {title}", wall / bare_wall, limits[0]), (f"gap, {title}", gap / bare_gap, limits[1])]


def looks(lab: Lab, runs: int) -> list[tuple[str, float, float | None]]:
    """Return the ratios of the commands that only look to `docker compose ps`."""
    ways: dict[str, tuple[Sequence[str], float | None]] = {
        "docker compose ps": (lab.compose("ps"), None),
        "--help": (lab.spark_mode("--help"), 0.7),
        "status": (lab.spark_mode("status"), 1.6),
        "plan audio omni": (lab.spark_mode("plan", "audio", "omni"), 2.5),
    }
    figures: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, (command, _) in ways.items():
            begun = time.monotonic()
            lab.run(command)
            figures[name].append(time.monotonic() - begun)
    medians = {name: statistics.median(times) for name, times in figures.items()}
    print(f"\ncommands that look, medians of {runs}:")
    for name, median in medians.items():
        print(f"  {name:<18} {median * 1000:6.0f} ms")
    bare = medians.pop("docker compose ps")
    return [(name, median / bare, ways[name][1]) for name, median in medians.items()]


def moments(lab: Lab, command: Sequence[str], fails: bool = False) -> dict[str, float]:
    """Run a switch from omni to training; return when its events happened, the last of each kind, and when it ended."""
    since = str(time.time())
    lab.run(command, fails)
    ended = time.time()
    filters = [f"label=com.docker.compose.project={PROJECT}", "type=container"]
    arguments = [part for one in filters for part in ("--filter", one)]
    asked = ["docker", "events", "--since", since, "--until", str(ended), "--format", "{{json .}}", *arguments]
    events = [json.loads(line) for line in subprocess.run(asked, check=True, capture_output=True, text=True).stdout.splitlines()]
    found = {f"{_service(one)} {one['Action']}": float(one["timeNano"]) / 1e9 for one in events}
    return {**found, "ended": ended}


def _service(event: dict[str, Any]) -> str:
    return str(event["Actor"]["Attributes"]["com.docker.compose.service"])


def reactions(lab: Lab, runs: int) -> None:
    """Print how soon a switch ends once its service is healthy, and what follows the crash of a service, and when."""
    ends, noticed, back = [], [], []
    for _ in range(runs):
        lab.prepare(removed=False)
        seen = moments(lab, lab.spark_mode("--quiet", "training"))
        ends.append(seen["ended"] - seen["training health_status: healthy"])
        lab.prepare(removed=True)
        seen = moments(lab, ["env", "TRAINING_FAULT=crash-at-start", *lab.spark_mode("--quiet", "training")], fails=True)
        noticed.append(seen["omni start"] - seen["training die"])
        back.append(seen["omni health_status: healthy"] - seen["training die"])
    print(f"\nmedians of {runs}:")
    print(f"  from healthy to the command's end                 {statistics.median(ends) * 1000:6.0f} ms   limit 50")
    print(f"  from the event of an exit to our look             {exits(lab, runs) * 1000:6.1f} ms   limit 10")
    print(f"  from a crash to the start of the former service   {statistics.median(noticed) * 1000:6.0f} ms   limit 500")
    print(f"  from a crash to the former service being healthy  {statistics.median(back) * 1000:6.0f} ms   limit 2 s x 1.2 + 1 s")


def exits(lab: Lab, runs: int) -> float:
    """Return the median of the seconds from the engine's event of an exit to the end of our wait for a change."""
    lab.prepare(removed=False)
    engine = EngineApi(local_socket())
    (omni,) = [one for one in engine.containers(PROJECT) if one.service == "omni"]
    taken = []
    for _ in range(runs):
        engine.start(omni.id)
        time.sleep(0.2)
        with engine.changes(PROJECT) as changes:
            changes.wait(0)  # the answer's head, if it is there already
            time.sleep(0.1)
            changes.wait(0)
            killed = threading.Thread(target=lab.run, args=[["docker", "kill", omni.id]])
            begun = str(time.time())
            killed.start()
            noticed = 0.0
            while engine_state(engine, omni.id) == "running":
                changes.wait(5)
                noticed = time.time()
            killed.join()
        filters = ["--filter", f"container={omni.id}", "--filter", "event=die"]
        asked = ["docker", "events", "--since", begun, "--until", str(time.time()), "--format", "{{.TimeNano}}", *filters]
        (moment,) = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split()
        taken.append(noticed - float(moment) / 1e9)
    return statistics.median(taken)


def engine_state(engine: EngineApi, id_: str) -> str:
    """Return the state of a container now."""
    found = engine.container(id_)
    return found.state if found else "gone"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="how often each way is taken (20)")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder))
        try:
            reactions(lab, max(3, runs // 4))
            ratios = [*switches(lab, runs, removed=False), *switches(lab, runs, removed=True), *looks(lab, runs)]
        finally:
            lab.remove()
    print("\nratios to docker compose:")
    for name, ratio, limit in ratios:
        judged = "" if limit is None else f"   limit {limit:g}: {'met' if ratio <= limit else 'NOT MET'}"
        print(f"  {name:<30} {ratio:5.2f}{judged}")


if __name__ == "__main__":
    main()
