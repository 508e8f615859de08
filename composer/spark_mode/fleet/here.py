"""The door to machines of which one may be this one: that one is asked without ssh."""

import subprocess
from collections.abc import Sequence

from spark_mode.fleet.nodes import Node
from spark_mode.fleet.ssh import Answer, Door, Told
from spark_mode.own_command import same_command


class HereToo:
    """Asks this machine itself where one of its names is meant, and others by another door."""

    def __init__(self, names: Sequence[str], others: Door) -> None:
        self._names, self._others = frozenset(names), others

    def ask(self, node: Node, words: Sequence[str], seconds: float | None = None, told: Told | None = None) -> Answer:
        """Have spark-mode called there; see `Door`."""
        if node.name not in self._names:
            return self._others.ask(node, words, seconds, told)
        try:
            done = subprocess.run(
                [*same_command(), *words],
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            return Answer(None, "", f"no answer within {seconds:g} s")
        return Answer(done.returncode, done.stdout, done.stderr.strip())
