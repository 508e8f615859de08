"""Everything that the next step of a training depends on, and the step.

Nothing of a step waits for the device: the CPU says what shall be done, and is at most a step ahead of it.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from agent import SYNC_STEPS, Agent, Moments, Replay, reward
from games import Games, Placements

CAPACITY = 1_000_000
FIRST_LESSON = 1_000  # moments in the replay buffer before anything is learned from it
EXPLORE_STEPS, LEAST_EXPLORATION = 1_000, 0.01  # over which random play gives way to what was learned, and how much of it stays
REPORT_STEPS = 100


class Size(NamedTuple):
    """How many games are played at once, and from how many moments each step learns: a board, and what followed on it."""

    games: int
    moments: int


class Training:
    """A training on a device, from its beginning until `resume` says where it was."""

    def __init__(self, size: Size, seed: int, device: torch.device) -> None:
        torch.manual_seed(seed)  # for the network's first weights; everything else is drawn from `chance`
        self.chance = torch.Generator(device).manual_seed(seed)
        self.size, self.step, self.device = size, 0, device
        self.agent, self.replay = Agent(device), Replay(CAPACITY, self.chance)
        self.games = Games(size.games, self.chance)
        self.loss = torch.zeros((), device=device)  # the sum since the last report
        self._ended = torch.cuda.Event() if device.type == "cuda" else None

    def do_step(self) -> None:
        """Put one piece in every game, and learn from a batch of what was seen so far."""
        placements, before = self.games.placements(), self.games.boards
        lines, over = self.games.put(placements, self._choose(placements))
        self.replay.add(Moments(before, reward(lines).masked_fill(over, 0), self.games.boards, over))
        if self.replay.filled >= FIRST_LESSON:
            self.loss = self.loss + self.agent.learn(self.replay.sample(self.size.moments))
        self.step += 1
        if self.step % SYNC_STEPS == 0:
            self.agent.sync()
        self._keep_pace()

    def _choose(self, placements: Placements) -> Tensor:
        """Take the best, or one at random, so that the unexpected is seen; and more often while little is known."""
        exploration = max(LEAST_EXPLORATION, 1 - self.step / EXPLORE_STEPS)
        explores = torch.rand(self.size.games, device=self.device, generator=self.chance) < exploration
        return torch.where(explores, self.games.any(placements), self.agent.best(placements))

    def _keep_pace(self) -> None:
        """Wait until the GPU has done the step before this one: so it is never idle, and a stop never has to wait for many."""
        if self._ended:
            self._ended.synchronize()
            self._ended.record()

    def report(self) -> dict[str, float]:
        """Return how it goes, and begin the next window. The same seed gives the same report."""
        games, pieces, lines = self.games.recent.tolist()
        loss, self.loss = self.loss.item() / REPORT_STEPS, torch.zeros_like(self.loss)
        return {
            "step": self.step,
            "games": self.games.finished.item(),
            "lines_per_game": lines / max(1, games),
            "pieces_per_game": pieces / max(1, games),
            "loss": loss,
        }

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on as if nothing had happened."""
        return {
            "step": self.step,
            "agent": self.agent.state(),
            "replay": self.replay.state(),
            "games": self.games.state(),
            "loss": self.loss,
            "device": self.device.type,
            "chance": self.chance.get_state(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken. With another size it plays more games, or fewer, from here on.

        On another kind of device the random numbers begin anew: its generator is another one.
        """
        self.step, self.loss = state["step"], state["loss"].to(self.device)
        self.agent.resume(state["agent"])
        self.replay.resume(state["replay"])
        self.games.resume(state["games"])
        if state["device"] == self.device.type:
            self.chance.set_state(state["chance"])
