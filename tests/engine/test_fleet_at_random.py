"""Two clients ask nodes at random while something breaks at random: no overlap on any node, and done means done."""

import json
import random
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pytest

from tests.deep import deep
from tests.engine.apart import send
from tests.engine.asking_nodes import (
    all_free,
    asked,
    fleet_yaml,
    freeze_engine,
    heal_engine,
    history,
    kill_engine,
    on,
    write_fleet,
)
from tests.engine.lab import ends, until
from tests.engine.node import Node
from tests.engine.nodes import Fleet
from tests.engine.witness import Witness

pytestmark = pytest.mark.xdist_group("fleet at random")  # whose tests share three nodes, which they have for long

ROUNDS, SEEDS = 13, 8
"""Rounds, of two switches each, and how often they are played."""
REQUESTS = ("audio omni", "audio chatterbox", "training", "training", "stop")
DONE = ("applied", "unchanged")
UNCERTAIN = (1, 6, 7, 130, -signal.SIGKILL)
"""How somebody ends who may have had a node begin: with nothing of it left, with somebody to look at it, or not at all."""


class Fault(NamedTuple):
    """What breaks on a node, and how it is healed."""

    breaks: Callable[[Node], None]
    heals: Callable[[Node], None]


def nothing(node: Node) -> None:
    """Have nothing break, or nothing to heal."""


FAULTS = {
    "nothing": Fault(nothing, nothing),
    "sshd hangs": Fault(Node.freeze_sshd, Node.thaw_sshd),
    "sshd dies": Fault(Node.kill_sshd, Node.start_sshd),
    "the engine hangs": Fault(freeze_engine, heal_engine),
    "the engine dies": Fault(kill_engine, heal_engine),
    "it is cut off": Fault(Node.partition, Node.join),
}
KILLS: dict[str, tuple[str, ...]] = {"all connections are killed": ("ssh",), "a client is killed": ("python", "python3")}
"""What breaks on the client: processes of these names, of the clients themselves one alone."""


class Asking(NamedTuple):
    """A client that asks some nodes for something."""

    nodes: tuple[str, ...]
    request: str
    process: "subprocess.Popen[str]"


class Told(NamedTuple):
    """How that ended: by the exit code, and node by node by what was printed."""

    nodes: tuple[str, ...]
    request: str
    code: int
    said: dict[str, Any]

    def names(self, node: str) -> bool:
        """Say whether it is said that something is to be looked at on a node, or that what became of it is unknown."""
        one = self.said.get(node, {})
        return one.get("state") == "lost" or one.get("code") in (6, 7)


class Game:
    """Rounds of two clients and a fault. What each node's journal had before a round is kept."""

    def __init__(self, fleet: Fleet, witnesses: Sequence[Witness]) -> None:
        self.fleet, self.witnesses = fleet, witnesses
        self.had = {name: len(one) for name, one in self.histories().items()}
        self.codes: list[int] = []
        self.kinds: list[str] = []

    def play(self, chance: random.Random) -> None:
        """Play a round at random, and look at what came of it."""
        requests = chance.sample(sorted({*REQUESTS}), 2)
        sets = [tuple(sorted(chance.sample(sorted(self.fleet.nodes), chance.randint(1, 3)))) for _ in requests]
        kind = chance.choice([*FAULTS, *KILLS, "nothing"])
        name = chance.choice(sorted({*sets[0], *sets[1]}))
        after, seconds = chance.uniform(0, 5), chance.uniform(0.5, 5)
        seconds = 45 if chance.random() < 0.05 else seconds
        wait = chance.choice(["--wait=60", "--wait=5", "--quiet"])
        self.kinds.append(kind)
        told_of = f"{kind} of {name} after {after:.1f} s for {seconds:.1f} s; {wait}; {sets} {requests}"
        asking = [self.begin(nodes, request, wait) for nodes, request in zip(sets, requests, strict=True)]
        _sleep(after, asking)
        if found := self.fleet.place.processes(*KILLS[kind]) if kind in KILLS else ():
            send(found if kind == "all connections are killed" else found[:1], signal.SIGKILL)
        fault = FAULTS.get(kind, FAULTS["nothing"])
        fault.breaks(self.fleet[name])
        _sleep(seconds if fault.heals is not nothing else 0, asking)
        fault.heals(self.fleet[name])
        self.look(asking, told_of)

    def histories(self) -> dict[str, list[tuple[str, str]]]:
        """Return what each node's journal has."""
        return {name: history(one) for name, one in self.fleet.nodes.items()}

    def begin(self, nodes: tuple[str, ...], request: str, *options: str) -> Asking:
        words = (*request.split(), "--yes", "--quiet", "--format", "json", *options)
        return Asking(nodes, request, asked(self.fleet, ",".join(nodes), *words))

    def look(self, asking: Sequence[Asking], told_of: str = "") -> None:
        """Wait for all to end, and fail where a promise was broken."""
        told = [Told(one.nodes, one.request, *_told(one.process)) for one in asking]
        told_of += "\n" + "\n".join(map(str, told))
        self.codes += [one.code for one in told]
        until(lambda: all_free(self.fleet), 90)
        found = self.histories()
        for one, other in ((told[0], told[-1]), (told[-1], told[0])):
            for name in one.nodes:
                new = found[name][self.had[name] :]
                wrong = broken(one, other if other is not one else None, name, new)
                assert not wrong, f"{wrong}: {new}\n{told_of}"
        if {one.code for one in told} & {*UNCERTAIN}:
            on(self.fleet, "n1,n2,n3", "recover")
            until(lambda: all_free(self.fleet), 90)
            found = self.histories()
        self.had = {name: len(one) for name, one in found.items()}
        for name, witness in zip(self.fleet.nodes, self.witnesses, strict=True):
            assert witness.overlaps == [], f"both sides were active together on {name}\n{witness.account()}\n{told_of}"


def broken(told: Told, other: Told | None, name: str, new: Sequence[tuple[str, str]]) -> str | None:
    """Return what is not as it was said of a node: by its own journal, of which `new` is what came in this round."""
    others = other is not None and name in other.nodes
    done = [number for number, (request, outcome) in enumerate(new) if request == told.request and outcome in DONE]
    back = [number for number, (request, outcome) in enumerate(new) if request == "restore" and outcome in DONE]
    if told.code == 0:
        if not done:
            return f"{told.request} was said to be done, and is not in the journal of {name}"
        if not others and done[-1] != len(new) - 1:
            return f"{told.request} was said to be done, and something came after it on {name}"
    elif told.code in (2, 3, 4, 5) and done and told.request != "stop":
        return f"{told.request} was refused, and {name} has done it"
    elif told.code in UNCERTAIN[:3] and told.request != "stop" and not others and not told.names(name):
        applied = [number for number in done if new[number][1] == "applied"]
        if applied and not any(number > applied[-1] for number in back):
            return f"{told.request} was not done by all, {name} has not gone back, and that is not said"
    return None


TRAINED, BACK, OTHER = ("training", "applied"), ("restore", "applied"), ("audio omni", "applied")


@pytest.mark.parametrize(
    ("code", "said", "new", "found"),
    [
        (0, {}, [TRAINED], None),
        (0, {}, [OTHER], "was said to be done, and is not in the journal of n1"),
        (0, {}, [TRAINED, OTHER], "something came after it on n1"),
        (4, {}, [OTHER], None),
        (4, {}, [TRAINED], "was refused, and n1 has done it"),
        (1, {}, [TRAINED, BACK], None),
        (1, {}, [TRAINED], "has not gone back, and that is not said"),
        (6, {"n1": {"state": "lost"}}, [TRAINED], None),
        (6, {"n2": {"state": "lost"}}, [TRAINED], "has not gone back, and that is not said"),
    ],
)
def test_what_is_said_and_the_journal_has_otherwise_is_broken(
    code: int, said: dict[str, Any], new: list[tuple[str, str]], found: str | None
) -> None:
    wrong = broken(Told(("n1", "n2"), "training", code, said), None, "n1", new)
    assert wrong == found or (found is not None and wrong is not None and wrong.endswith(found))


def _sleep(seconds: float, asking: Sequence[Asking]) -> None:
    """Let time pass, as long as anybody asks: afterwards there is nothing to break."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and any(one.process.poll() is None for one in asking):
        time.sleep(0.05)


def _told(process: "subprocess.Popen[str]") -> tuple[int, dict[str, Any]]:
    outcome = ends(process)
    found = re.search(r"^\{.*^\}", outcome.out, re.MULTILINE | re.DOTALL)
    said = json.loads(found[0]) if found else {"words": outcome.out}
    return outcome.code, said.get("nodes", said)


@pytest.fixture
def game(fleet: Fleet) -> Iterator[Game]:
    """A game that begins, with a witness of each node."""
    with fleet["n1"].events() as one, fleet["n2"].events() as two, fleet["n3"].events() as three:
        yield Game(fleet, [one, two, three])
    fleet_yaml(fleet).unlink(missing_ok=True)


@deep
@pytest.mark.parametrize("seed", range(SEEDS))
def test_switches_of_several_nodes_at_random_while_something_breaks(game: Game, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        game.play(chance)
    print("exit codes:", Counter(game.codes), "faults:", Counter(game.kinds))  # noqa: T201 - how it went, for whoever looks
    assert game.codes.count(0) >= ROUNDS // 3, game.codes
    assert sum(one.starts for one in game.witnesses) >= ROUNDS // 3


@deep
def test_a_start_of_the_other_side_is_seen(game: Game) -> None:
    game.look([game.begin(("n1", "n2"), "training")])
    assert game.fleet.ssh("n2", "cd lab; docker compose --profile omni up --detach --no-deps omni").code == 0
    with pytest.raises(AssertionError, match="both sides were active together"):
        until(lambda: game.look([game.begin(("n1",), "stop")]), 20)


@deep
def test_a_node_that_says_done_and_has_not_done_it_is_seen(game: Game) -> None:
    end = json.dumps({"agent": 1, "state": "told", "ended": {"exit_code": 0, "outcome": "applied", "mode": "training"}})
    lies = f"""[ "$1 $2" = "agent go" ] && spark-mode agent drop "$3" >/dev/null && echo '{end}' && exit; exec spark-mode "$@" """
    program = game.fleet["n2"].place.path("/usr/local/bin/lies")
    program.write_text(f"#!/bin/sh\n{lies}\n")
    program.chmod(0o755)
    write_fleet(game.fleet, {"n2": {"command": "lies"}})
    with pytest.raises(AssertionError, match="was said to be done, and is not in the journal of n2"):
        game.look([game.begin(("n1", "n2"), "training")])
