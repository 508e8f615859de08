"""Several nodes asked at once in a test, what holds that up at a chosen moment, and what is there afterwards."""

import fcntl
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from spark_mode.journal.journal_file import JournalFile
from tests.engine.apart import send
from tests.engine.lab import Outcome, until
from tests.engine.node import Node
from tests.engine.nodes import Fleet
from tests.engine.witness import Witness

GATED = """#!/bin/sh
# spark-mode, which stands at a word of `agent` as long as a file says so
if [ "$1" = agent ]; then
    for word in begin go drop back; do
        case " $* " in *" $word "*) touch /run/at-$word; while [ -e /run/stop-$word ]; do sleep 0.05; done; break;; esac
    done
fi
exec spark-mode "$@"
"""
ALL = "n1,n2,n3"


class Gate:
    """Where a node stands when another machine asks something of it: at `begin`, `go`, `drop` or `back`, until it is opened."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def close(self, *words: str) -> None:
        for word in words:
            self._node.place.path(f"/run/stop-{word}").touch()

    def open(self, *words: str) -> None:
        for word in words:
            self._node.place.path(f"/run/stop-{word}").unlink(missing_ok=True)

    def reached(self, word: str) -> None:
        """Wait until somebody stands there."""
        until(self._node.place.path(f"/run/at-{word}").exists, 60)

    def reset(self) -> None:
        for path in self._node.place.path("/run").glob("*-*"):
            if path.name.startswith(("at-", "stop-")):
                path.unlink()


def fleet_yaml(fleet: Fleet) -> Path:
    return fleet.place.home / ".config" / "spark-mode" / "fleet.yaml"


def write_fleet(fleet: Fleet, nodes: dict[str, Any], **groups: list[str]) -> None:
    """Write down which nodes there are; JSON is YAML."""
    fleet_yaml(fleet).parent.mkdir(parents=True, exist_ok=True)
    fleet_yaml(fleet).write_text(json.dumps({"nodes": nodes, "groups": groups}))


def on(fleet: Fleet, nodes: str, *words: str, expect: int | None = 0, **environment: str) -> Outcome:
    """Ask nodes; it must exit with the code that is expected."""
    outcome = fleet.client("spark-mode", "-H", nodes, *words, seconds=200, **environment)
    assert expect is None or outcome.code == expect, f"{words}: {outcome}"
    return outcome


def asked(fleet: Fleet, nodes: str, *words: str) -> "subprocess.Popen[str]":
    """Ask nodes, and wait for nothing."""
    return fleet.spawn("spark-mode", "-H", nodes, *words)


def running(fleet: Fleet) -> list[str]:
    """Return what runs on each node, by its own engine."""
    return [" ".join(sorted(one.running())) for one in fleet.nodes.values()]


def history(node: Node) -> list[tuple[str, str]]:
    """Return what the node's own journal says: each request, and how it ended."""
    found = [JournalFile(path).history() for path in node.place.path("/var/lib/spark-mode").glob("*.journal")]
    return [(one["request"], one["outcome"]) for journal in found for one in journal]


def is_free(node: Node) -> bool:
    """Say whether nobody has the node's lock, and no request of other machines runs there."""
    locks = [*node.place.path("/run/spark-mode").glob("switch.lock")]
    locks += node.place.path(str(node.place.home)).glob(".local/state/spark-mode/requests/*/lock")
    return all(map(_is_free, locks))


def _is_free(path: Path) -> bool:
    lock = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def all_free(fleet: Fleet, *names: str) -> bool:
    """Say whether these nodes are free, all where none is named."""
    return all(is_free(one) for name, one in fleet.nodes.items() if not names or name in names)


def waits(node: Node) -> bool:
    """Say whether a switch there has its lock and its plan, and waits for its word."""
    text = "\n".join(one.read_text() for one in node.place.path("/run/spark-mode").glob("switch.lock"))
    return not is_free(node) and "waiting for the word" in text


def kill_connections(fleet: Fleet, number: signal.Signals = signal.SIGKILL) -> None:
    send(fleet.place.processes("ssh"), number)


def started(witnesses: list[Witness]) -> int:
    """Return how often anything was started anywhere. Of what was just done all is known only a moment later."""
    time.sleep(0.3)
    return sum(one.starts for one in witnesses)


def freeze_engine(node: Node) -> None:
    node.engine.freeze()


def kill_engine(node: Node) -> None:
    node.engine.kill()


def heal_engine(node: Node) -> None:
    node.engine.thaw()
    if not node.engine.is_there:
        node.engine.start()
