"""How quick the layers are that hold the rule against others: `make bench`.

The guard: from the engine's event of a start to that of the stop's signal. The gate: the whole program as Compose runs it.
The plugin: what Docker asks of it at each `docker --help`. All beside bare `docker compose ps` in the same run.
"""

import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.engine.outside import furnish

ROOT = Path(__file__).parents[1]
PROJECT = "spark-mode-bench-layers"
RUNS = 50
IDLE_SECONDS = 20.0
DEADLINE = 120


class Lab:
    """The stand-in lab in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        furnish(folder, PROJECT)
        compileall.compile_dir(ROOT / "composer", quiet=1)  # as an installation does
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("COMPOSE_", "SPARK_MODE_"))}
        self.environment = kept | {"XDG_STATE_HOME": str(folder / "state"), "STAND_IN_LOAD": "0.3"}

    def run(self, *command: str) -> float:
        """Run a command that must succeed; return the seconds that it took."""
        begun = time.monotonic()
        done = subprocess.run(
            command, check=False, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=DEADLINE
        )
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed: {done.stderr}")
        return time.monotonic() - begun

    def tool(self, name: str) -> str:
        return str(Path(sys.executable).with_name(name))

    def id_of(self, service: str) -> str:
        filters = [f"label=com.docker.compose.project={PROJECT}", f"label=com.docker.compose.service={service}"]
        command = ["docker", "ps", "-aq", "--no-trunc", *(part for one in filters for part in ("--filter", one))]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def remove(self) -> None:
        self.run("docker", "compose", "--profile", "*", "down", "--volumes", "--timeout", "5")


def guard(lab: Lab) -> None:
    """Print how soon a start is answered, and what a guard costs while nothing happens."""
    spark_mode = lab.tool("spark-mode")
    lab.run(spark_mode, "audio", "omni", "--quiet")
    lab.run(spark_mode, "training", "--yes", "--quiet")
    omni, taken = lab.id_of("omni"), []
    for number in range(RUNS):
        if number % 5 == 0:  # a guard does not fight for ever
            command = [spark_mode, "guard"]
            process = subprocess.Popen(command, cwd=lab.folder, env=lab.environment, stdout=subprocess.DEVNULL)
            time.sleep(1.0)
        since = str(time.time())
        lab.run("docker", "start", omni)
        lab.run("docker", "wait", omni)
        filters = ["--filter", f"container={omni}", "--filter", "event=start", "--filter", "event=kill"]
        asked = ["docker", "events", "--since", since, "--until", str(time.time()), "--format", "{{json .}}", *filters]
        lines = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.splitlines()
        events = [json.loads(line) for line in lines]
        at = {one["Action"]: one["timeNano"] / 1e9 for one in reversed(events)}
        taken.append(at["kill"] - at["start"])
        if number == RUNS - 1:
            seen = psutil.Process(process.pid)
            before = seen.cpu_times()
            time.sleep(IDLE_SECONDS)
            after = seen.cpu_times()
            share = (after.user + after.system - before.user - before.system) / IDLE_SECONDS
            print(f"  guard, idle: {seen.memory_info().rss / 10**6:.0f} MB (limit 60), {share:.2%} of a core (limit 0.50%)")
        if number % 5 == 4:
            process.terminate()
            process.communicate()
    median, slowest = statistics.median(taken) * 1000, max(taken) * 1000
    print(f"  guard, from a start to the stop's signal: median {median:.0f} ms of {RUNS} (limit 300), slowest {slowest:.0f} ms")


def gate(lab: Lab) -> None:
    """Print how long a judgement takes that lets a start pass, and one of the plugin's answers."""
    lab.run(lab.tool("spark-mode"), "stop", "--yes")
    lab.run(lab.tool("spark-mode"), "gate", "install")
    asked = [f"--lab={lab.folder}", f"--rules={lab.folder}/rules.yaml", "--service=omni", "gate"]
    program = [str(lab.folder / "spark-mode.gate.sh"), "compose", f"--project-name={PROJECT}", "up", *asked]
    plugin = [sys.executable, "-m", "spark_mode.cli", "docker-cli-plugin-metadata"]
    ways = {"docker compose ps": ["docker", "compose", "ps"], "gate": program, "plugin": plugin}
    lab.run(*program)
    figures: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(RUNS):
        for name, command in ways.items():
            figures[name].append(lab.run(*command))
    medians = {name: statistics.median(times) * 1000 for name, times in figures.items()}
    bare = medians["docker compose ps"]
    for name, limit in (("gate", 300), ("plugin", 100)):
        print(
            f"  {name}: median {medians[name]:.0f} ms of {RUNS} (limit {limit}), {medians[name] / bare:.2f} of docker compose ps"
        )


def main() -> None:
    print("layers against others:")
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder) / "lab")
        try:
            guard(lab)
            gate(lab)
        finally:
            lab.remove()


if __name__ == "__main__":
    main()
