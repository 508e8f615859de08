"""Plays some games with what a checkpoint has learned, and as many at random: is it any better?

    python evaluate.py [GAMES]

The pieces are the same for both. Reads the checkpoint that training writes; it may go on meanwhile.
"""

import os
import sys
from pathlib import Path
from random import Random

import torch

import checkpoint
from agent import GAMMA, Agent, reward
from tetris import Game, Placement

MOST_PIECES = 1_000  # a good player's game ends here


def play(agent: Agent | None, seed: int) -> int:
    """Play one game, at random without an agent; return how many lines it cleared."""
    game, chance = Game(Random(seed)), Random(seed)
    while game.pieces < MOST_PIECES and (placements := game.placements()):
        game.put(best(agent, placements) if agent else chance.choice(placements))
    return game.lines


def best(agent: Agent, placements: list[Placement]) -> Placement:
    """Return the placement that promises most."""
    values = agent.values([one.board for one in placements])
    worth = [reward(one.lines) + GAMMA * value for one, value in zip(placements, values, strict=True)]
    return placements[worth.index(max(worth))]


def main() -> None:
    """Compare the two."""
    path = Path(os.environ.get("TRAINING_FOLDER") or "/checkpoints") / "checkpoint.pt"
    games = sys.argv[1] if len(sys.argv) > 1 else "50"
    if not (games.isdecimal() and 0 < int(games) <= 10_000):
        sys.exit(f"{games!r} is not a number of games; it can be 1 to 10000.")
    count = int(games)
    saved = checkpoint.load(path)
    if saved is None:
        sys.exit(f"{path} does not exist yet: a training writes it when it is stopped, and every ten minutes.")
    agent = Agent(torch.device("cpu"))
    try:
        agent.resume(saved["training"]["agent"])
    except (LookupError, TypeError, RuntimeError) as error:
        sys.exit(f"{path} is no checkpoint of this program: {error}")
    learned, random = (sum(play(player, seed) for seed in range(count)) / count for player in (agent, None))
    print(f"{count} games each: {learned:.2f} lines a game after {saved['training']['step']} steps, {random:.2f} at random")


if __name__ == "__main__":
    main()
