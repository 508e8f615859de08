"""An agent that learns what a board is worth, and puts each piece where the most is to be had.

It looks at every board that a piece can lead to, and takes the one with the best reward + GAMMA * value. The values come from a
small convolutional network, which learns from what happened: a board is worth the reward that followed it and GAMMA times
the worth of the board after (temporal-difference learning, from a replay buffer and with a target network).
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from games import Placements
from tetris import HEIGHT, WIDTH

GAMMA = 0.98
LEARNING_RATE = 2e-3
SYNC_STEPS = 50
FIRST, CHANNELS = 8, 32  # of the first layer, which is what takes time and memory, and of the others
PARTS = ("network", "target", "optimiser")


def reward(lines: Tensor) -> Tensor:
    """Return what placements are worth by themselves: a little for being still alive, and more for each line."""
    return 0.2 + lines


def planes(boards: Tensor) -> Tensor:
    """Turn boards of N x WIDTH numbers into N x 1 x HEIGHT x WIDTH pictures of zeros and ones."""
    rows = torch.arange(HEIGHT, dtype=torch.int32, device=boards.device).unsqueeze(-1)
    return (boards.unsqueeze(-2) >> rows & 1).float().unsqueeze(1)


class Network(nn.Module):
    """Says what boards are worth: first what is near each other, then whole columns, then columns beside each other."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, FIRST, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(FIRST, CHANNELS, (HEIGHT, 1)),
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


class Moments(NamedTuple):
    """What happened, many times over: a board, the reward that followed, the board after it, and whether the game was over."""

    before: Tensor
    reward: Tensor
    after: Tensor
    over: Tensor


class Replay:
    """The last `capacity` moments, or a few less, in a ring: 85 bytes each."""

    def __init__(self, capacity: int, chance: torch.Generator) -> None:
        """Have room on the device of `chance`, which says what is drawn."""
        self._chance, self._next, self.filled = chance, 0, 0
        boards = torch.zeros(2, capacity, WIDTH, dtype=torch.int32, device=chance.device)
        rewards, over = (torch.zeros(capacity, dtype=kind, device=chance.device) for kind in (torch.float32, torch.bool))
        self._ring = Moments(boards[0], rewards, boards[1], over)

    def add(self, moments: Moments) -> None:
        """Remember these, in one piece: in the place of the oldest, at the front, where they no longer fit in at the end."""
        count = len(moments.over)
        start = self._next if self._next + count <= len(self._ring.over) else 0
        self._next = start + count
        self.filled = max(self.filled, self._next)
        for part, new in zip(self._ring, moments, strict=True):
            part[start : self._next] = new

    def sample(self, count: int) -> Moments:
        """Draw at random; what is drawn may be drawn again."""
        chosen = torch.randint(self.filled, (count,), device=self._chance.device, generator=self._chance)
        return Moments(*(part[chosen] for part in self._ring))

    def state(self) -> dict[str, Any]:
        """Return the part of the ring that is filled, and where the next moments go."""
        return {"next": self._next, "ring": [part[: self.filled].clone() for part in self._ring]}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with what `state` returned; the capacity must be the same."""
        self._next, self.filled = state["next"], len(state["ring"][0])
        for part, saved in zip(self._ring, state["ring"], strict=True):
            part[: self.filled] = saved


class Agent:
    """The network that plays, the older one that it learns from, and the optimiser."""

    def __init__(self, device: torch.device) -> None:
        self.network, self.target = Network().to(device), Network().to(device)
        self.target.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=LEARNING_RATE, fused=True)

    def best(self, placements: Placements) -> Tensor:
        """Return which placement promises most, for each game."""
        with torch.no_grad():
            values = self.network(placements.boards.flatten(0, 1)).view_as(placements.lines)
        worth = reward(placements.lines) + GAMMA * values
        return worth.masked_fill(~placements.possible, -torch.inf).argmax(1)

    def learn(self, moments: Moments) -> Tensor:
        """Move the network a step towards what happened; return how far it was off."""
        with torch.no_grad():
            worth = moments.reward + GAMMA * self.target(moments.after) * ~moments.over
        loss = functional.smooth_l1_loss(self.network(moments.before), worth)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.detach()

    def sync(self) -> None:
        """Let the older network catch up."""
        self.target.load_state_dict(self.network.state_dict())

    def state(self) -> dict[str, Any]:
        """Return all that has been learned."""
        return {name: getattr(self, name).state_dict() for name in PARTS}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with what `state` returned."""
        for name in PARTS:
            getattr(self, name).load_state_dict(state[name])
