"""An agent that learns what a board is worth, and puts each piece where the most is to be had.

It looks at every board that a piece can lead to, and takes the one with the best reward + GAMMA * value. The values come from a
small convolutional network, which learns from what happened: a board is worth the reward that followed it and GAMMA times
the worth of the board after (temporal-difference learning, from a replay buffer and with a target network).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tetris import HEIGHT, WIDTH, Board

GAMMA = 0.98
LEARNING_RATE = 2e-3
SYNC_STEPS = 50
CHANNELS = 32


def reward(lines: int) -> float:
    """Return what a placement is worth by itself: a little for being still alive, and more for each line."""
    return 0.2 + lines


def planes(boards: Tensor) -> Tensor:
    """Turn boards of N x HEIGHT numbers into N x 1 x HEIGHT x WIDTH pictures of zeros and ones."""
    bits = torch.arange(WIDTH, device=boards.device)
    return ((boards.long().unsqueeze(-1) >> bits) & 1).float().unsqueeze(1)


class Network(nn.Module):
    """Says what boards are worth: first what is near each other, then whole columns, then columns beside each other."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, CHANNELS, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(CHANNELS, CHANNELS, (HEIGHT, 1)),
            nn.ReLU(inplace=True),
            nn.Conv2d(CHANNELS, CHANNELS, (1, 3), padding=(0, 1)),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(CHANNELS * WIDTH, 64),
            nn.ReLU(inplace=True),
            nn.Linear(64, 1),
        )

    def forward(self, boards: Tensor) -> Tensor:
        values: Tensor = self.layers(planes(boards)).squeeze(-1)
        return values


class Batch(NamedTuple):
    """What happened, many times over: a board, the reward that followed, the board after it, and whether the game was over."""

    before: Tensor
    reward: Tensor
    after: Tensor
    over: Tensor


class Replay:
    """The last `capacity` things that happened, in a ring: 85 bytes each."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.added = capacity, 0
        self._ring = Batch(
            torch.empty(capacity, HEIGHT, dtype=torch.int16),
            torch.empty(capacity),
            torch.empty(capacity, HEIGHT, dtype=torch.int16),
            torch.empty(capacity, dtype=torch.bool),
        )

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add(self, before: Board, reward: float, after: Board, over: bool) -> None:
        """Remember one thing, in the place of the oldest when the ring is full."""
        at = self.added % self.capacity
        self._ring.before[at] = torch.tensor(before, dtype=torch.int16)
        self._ring.reward[at] = reward
        self._ring.after[at] = torch.tensor(after, dtype=torch.int16)
        self._ring.over[at] = over
        self.added += 1

    def sample(self, count: int) -> Batch:
        """Draw at random, with torch's own random state."""
        chosen = torch.randint(len(self), (count,))
        return Batch(*(part[chosen] for part in self._ring))

    def state(self) -> dict[str, Any]:
        """Return the part of the ring that is filled, and where the next thing goes."""
        return {"added": self.added, "ring": [part[: len(self)].clone() for part in self._ring]}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with what `state` returned; the capacity must be the same."""
        self.added = state["added"]
        for part, saved in zip(self._ring, state["ring"], strict=True):
            part[: len(saved)] = saved


class Agent:
    """The network that plays, the older one that it learns from, and the optimiser."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.network, self.target = Network().to(device), Network().to(device)
        self.target.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=LEARNING_RATE)

    def values(self, boards: Sequence[Board]) -> list[float]:
        """Return what each of these boards is worth."""
        if not boards:
            return []
        with torch.no_grad():
            values: list[float] = self.network(torch.tensor(boards, dtype=torch.int16, device=self.device)).tolist()
        return values

    def learn(self, batch: Batch) -> float:
        """Move the network a step towards what the batch says; return how far it was off."""
        before, gained, after, over = (part.to(self.device) for part in batch)
        with torch.no_grad():
            worth = gained + GAMMA * self.target(after) * ~over
        loss = functional.smooth_l1_loss(self.network(before), worth)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.item())

    def sync(self) -> None:
        """Let the older network catch up."""
        self.target.load_state_dict(self.network.state_dict())

    def state(self) -> dict[str, Any]:
        """Return all that has been learned."""
        return {
            "network": self.network.state_dict(),
            "target": self.target.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with what `state` returned."""
        self.network.load_state_dict(state["network"])
        self.target.load_state_dict(state["target"])
        self.optimiser.load_state_dict(state["optimiser"])
