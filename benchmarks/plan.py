"""How long planning takes, in milliseconds of one run: the audio lab, and 25 running workloads that must make room.

python benchmarks/plan.py
"""

import gc
import random
import statistics
import time

from spark_mode.lab.project import Project
from spark_mode.lab.rules import Rules
from spark_mode.lab.service import Service
from spark_mode.lab.size import GB
from spark_mode.planning.container import Container
from spark_mode.planning.observed import Memory, Observed
from spark_mode.planning.planner import plan
from spark_mode.planning.request import ModeRequest, Request, UpRequest
from tests.audio_lab import CAPACITY, PROJECT, RULES, seen

RUNS = 200
RANDOM_LABS = 50


def main() -> None:
    """Print the median and the slowest of each, without the collector, as in a command that only plans."""
    gc.disable()
    audio = seen("chatterbox", "whisper", "ollama", models=("llama3.1:8b",))
    report("the audio lab, to training", [(ModeRequest(mode="training"), PROJECT, RULES, audio, CAPACITY)])
    report("the audio lab, chatterbox to xtts", [(ModeRequest(mode="audio", profile="xtts"), PROJECT, RULES, audio, CAPACITY)])
    report("25 running workloads, memory for one more", [crowded_lab(seed) for seed in range(RANDOM_LABS)])


def report(name: str, cases: list[tuple[Request, Project, Rules, Observed, int]]) -> None:
    """Time each case, RUNS times in all."""
    taken = []
    for number in range(max(RUNS, len(cases))):
        case = cases[number % len(cases)]
        begun = time.perf_counter()
        plan(*case)
        taken.append((time.perf_counter() - begun) * 1000)
    print(f"{name:<45} median {statistics.median(taken):6.2f} ms   slowest {max(taken):6.2f} ms")


def crowded_lab(seed: int) -> tuple[Request, Project, Rules, Observed, int]:
    """Return 25 workloads of any size that fill the machine, and a request for one more of 40 GB."""
    draw = random.Random(seed)  # noqa: S311 - not a secret
    sizes = [draw.randint(1000, 5000) for _ in range(25)]
    names = [f"w{number}" for number in range(25)]
    workloads = {
        name: {
            "class": draw.choice(("red", "green", "blue")),
            "footprint": f"{size}MB",
            "service": name,
            "priority": draw.randint(10, 90),
            "load_seconds": draw.randint(0, 600),
        }
        for name, size in zip(names, sizes, strict=True)
    }
    workloads["new"] = {"class": "red", "footprint": "40GB", "service": "new"}
    rules = Rules.model_validate(
        {
            "hardware": {"name": "a machine", "capacity": "128GB"},
            "limits": {"fits_easily": "25GB", "fits": "80GB", "tight": "100GB", "headroom": "20GB", "floor": "10GB"},
            "overhead": {
                "system": "2GB",
                "per_class": "2GB",
                "burst": {"cuda_context": {"low": "1GB", "high": "1GB"}, "kv_cache": {"low": "1GB", "high": "1GB"}},
            },
            "classes": {name: {"description": name} for name in ("red", "green", "blue")},
            "workloads": workloads,
            "rules": [{"name": "two", "at_most": 2, "of": names[:4], "because": "two are enough"}],
        }
    )
    services = {name: Service(name=name, image=name, profiles=(name,), config_hash="x") for name in (*names, "new")}
    containers = tuple(Container(id=name, name=name, service=name, state="running", config_hash="x") for name in names)
    free = 128 * GB - sum(sizes) * 10**6
    observed = Observed(containers=containers, memory=Memory(total=128 * GB, available=free))
    return UpRequest(names=("new",)), Project(name="lab", services=services), rules, observed, 128 * GB


if __name__ == "__main__":
    main()
