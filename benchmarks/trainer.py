"""Whether the trainer learns: `make bench`.

It trains 6,000 steps on one core of the CPU, a minute or two, and then plays 50 games; a player who puts pieces anywhere plays
the same 50. The figure is how many times more lines it clears; another seed gives another figure:

    python -m benchmarks.trainer [SEED ...]
"""

import re
import subprocess
import sys
from pathlib import Path

IMAGE = "audio-lab-torch-cpu:latest"
PROGRAM = Path(__file__).parents[1] / "compose/training"
STEPS, GAMES, LEAST = 6_000, 50, 50
NAME = "spark-mode-bench-trainer"  # of the container and of the volume


def run(*arguments: str, seed: int = 0) -> str:
    """Run a program of the trainer's in a container of its own; return what it wrote."""
    mounts = ["--volume", f"{PROGRAM}:/app:ro", "--volume", f"{NAME}:/checkpoints"]
    settings = ["--env", "OMP_NUM_THREADS=1", "--env", f"TRAINING_STEPS={STEPS}", "--env", f"TRAINING_SEED={seed}"]
    container = ["docker", "run", "--rm", "--name", NAME, "--network", "none", *mounts, *settings]
    command = [*container, IMAGE, "-W", "ignore", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def learned(seed: int) -> float:
    """Train from nothing; return how many times more lines a game has than at random."""
    remove()
    print(f"seed {seed}: trains {STEPS} steps", flush=True)
    try:
        run("/app", seed=seed)
        line = run("/app/evaluate.py", str(GAMES))
    finally:
        remove()
    print(f"seed {seed}: {line.strip()}", flush=True)
    trained, random = (float(number) for number in re.findall(r"\d+\.\d+", line))
    return trained / random


def remove() -> None:
    """Leave no container and no checkpoint, after an interrupt neither."""
    subprocess.run(["docker", "rm", "--force", NAME], check=True, capture_output=True)
    subprocess.run(["docker", "volume", "rm", "--force", NAME], check=True, capture_output=True)


def main() -> None:
    """Fail unless it has learned to clear many times more lines."""
    ratios = [learned(int(seed)) for seed in sys.argv[1:] or ["0"]]
    least = min(ratios)
    print(f"the trainer clears {least:.0f} times the lines of a random player after {STEPS} steps (at least {LEAST})")
    if least < LEAST:
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted")
