"""Finds from where on more games and moments buy no more throughput, on the machine that it runs on.

    python saturate.py

It tries ever twice as many, for some seconds each, in the memory that TRAINING_BATCH stands for, and ends by itself within two
minutes. Nothing else may be busy there meanwhile. The utilisation is the GPU's own figure, or that of the cores it may use.
"""

import os
import resource
import subprocess
import time

import torch

import checkpoint
from train import pick_device, read_settings, say
from training import FIRST_LESSON, Size, Training

FIRST = {"cuda": Size(64, 4_096), "cpu": Size(4, 32)}  # as many moments for each game as in SIZES
WARM_STEPS, SECONDS, LAST_START, LEAST_GAIN = 3, 4.0, 60.0, 1.05
UTILISATION = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")


def attempt(size: Size, device: torch.device) -> float:
    """Train for some seconds, and write a line of the table; return how many moments it learned from in a second."""
    training, smi = Training(size, 0, device), None
    while training.replay.filled < FIRST_LESSON or training.step < WARM_STEPS:
        training.do_step()
    training.loss.item()  # waits for all of it
    warm, start, worked = training.step, time.monotonic(), time.process_time()
    while (elapsed := time.monotonic() - start) < SECONDS:
        training.do_step()
        if device.type == "cuda" and smi is None and elapsed > SECONDS / 2:
            smi = subprocess.Popen(UTILISATION, stdout=subprocess.PIPE, text=True)  # beside the steps, or it would see none
    training.loss.item()
    elapsed = time.monotonic() - start
    steps = (training.step - warm) / elapsed
    if smi:
        busy, memory = smi.communicate()[0].split()[0], torch.cuda.max_memory_reserved() / 1e9
    else:
        busy = f"{100 * (time.process_time() - worked) / elapsed / torch.get_num_threads():.0f}"
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    say(f"{size.games:6} {size.moments:8} {steps:8.1f} {steps * size.moments:10.0f} {busy:>14} {memory:5.1f}")
    return steps * size.moments


def main() -> None:
    """Write the table, and the line for .env."""
    settings, begun = read_settings(os.environ, torch.cuda.is_available()), time.monotonic()
    checkpoint.lock(settings.folder)
    device = pick_device(settings.planned)
    say(f"trains on the {device.type}\n games  moments  steps/s  moments/s  utilisation %    GB")
    size = best = FIRST[device.type]
    most, why = 0.0, "were not tried, the time is up"
    while time.monotonic() - begun < LAST_START:
        try:
            rate = attempt(size, device)
        except torch.OutOfMemoryError:
            why = "do not fit into the memory"
            break
        if rate < most * LEAST_GAIN:
            why = "buy no more throughput"
            break
        best, most, size = size, rate, Size(2 * size.games, 2 * size.moments)
        torch.cuda.empty_cache()
    say(f"More games and moments {why}. The line for .env:\nTRAINING_SIZE={best.games}x{best.moments}")


if __name__ == "__main__":
    main()
