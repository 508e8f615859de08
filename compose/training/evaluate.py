"""Plays some games with what a checkpoint has learned, and as many at random: is it any better?

    python evaluate.py [GAMES]

The pieces are the same for both. Reads the checkpoint that training writes; it may go on meanwhile.
"""

import os
import sys
from pathlib import Path

import torch

import checkpoint
from agent import Agent
from games import Games

MOST_PIECES = 1_000  # a good player's game ends here


def play(agent: Agent | None, count: int) -> float:
    """Play so many games, at random without an agent; return how many lines one cleared."""
    games, dice = (Games(count, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    lines, going = torch.zeros(count), torch.ones(count, dtype=torch.bool)
    for _ in range(MOST_PIECES):
        placements = games.placements()
        cleared, over = games.put(placements, agent.best(placements) if agent else dice.any(placements))
        going &= ~over
        if not going.any():
            break
        lines += cleared * going
    return float(lines.mean())


def main() -> None:
    """Compare the two."""
    path = Path(os.environ.get("TRAINING_FOLDER") or "/checkpoints") / "checkpoint.pt"
    count = sys.argv[1] if len(sys.argv) > 1 else "50"
    if not (count.isdecimal() and 0 < int(count) <= 10_000):
        sys.exit(f"{count!r} is not a number of games; it can be 1 to 10000.")
    saved = checkpoint.load(path)
    if saved is None:
        sys.exit(f"{path} does not exist yet: a training writes it when it is stopped, and every ten minutes.")
    agent = Agent(torch.device("cpu"))
    try:
        agent.resume(saved["training"]["agent"])
    except (LookupError, TypeError, RuntimeError) as error:
        sys.exit(checkpoint.refusal(path, "is no checkpoint of this program", error))
    learned, random = (play(player, int(count)) for player in (agent, None))
    print(f"{count} games each: {learned:.2f} lines a game after {saved['training']['step']} steps, {random:.2f} at random")


if __name__ == "__main__":
    main()
