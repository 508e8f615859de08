"""Machines that are asked as over ssh, with connections that are lost: before a command arrives, after it, or for good."""

import itertools
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal

from spark_mode.fleet.nodes import Node
from spark_mode.fleet.ssh import Answer, Told

Fault = Literal["before", "after", "gone"]
LOST = Answer(None, errors="ssh: Connection to node closed by remote host")


class SimulatedNode:
    """A machine: what runs there, its lock, and the requests that it has seen. `refuses`, `fails` and `busy` are how it is."""

    def __init__(self, runs: str = "idle") -> None:
        self.runs, self.before = runs, runs
        self.refuses = self.fails = self.goes_back_badly = False
        self.busy_until = 0.0
        self.held_by: str | None = None
        self.lease_ends = 0.0
        self.requests: dict[str, dict[str, Any]] = {}
        self.carried_out: list[str] = []

    def expire(self, now: float) -> None:
        """Have a lease end that nobody has said a word to."""
        if self.held_by and now >= self.lease_ends:
            self._end(self.held_by, 4, "refused", "no word came")

    def begin(self, name: str, lease: float, mode: str, now: float) -> dict[str, Any]:
        if name not in self.requests:
            self.requests[name] = {"state": "told", "mode": mode}
            if self.refuses:
                self._end(name, 4, "refused", "it does not fit")
            elif self.held_by or now < self.busy_until:
                self._end(name, 5, "failed", "another switch is running")
            else:
                self.held_by, self.lease_ends = name, now + lease
        return self.requests[name]

    def go(self, name: str) -> dict[str, Any]:
        request = self.requests[name]
        if "ended" not in request:
            self.carried_out.append(name)
            if self.fails:
                self._end(name, 1, "rolled-back", "its model does not load")
            else:
                unchanged = self.runs == request["mode"]
                self.before, self.runs = self.runs, request["mode"]
                self._end(name, 0, "unchanged" if unchanged else "applied")
        return request

    def drop(self, name: str) -> dict[str, Any]:
        if name not in self.requests:
            return {"state": "unknown"}
        if "ended" not in self.requests[name]:
            self._end(name, 4, "refused", "another machine cannot")
        return self.requests[name]

    def back(self, name: str) -> dict[str, Any]:
        request = self.requests[name]
        if request["ended"]["outcome"] == "applied":
            if self.goes_back_badly:
                return {"state": "told", "ended": {"exit_code": 7, "outcome": "failed", "error": {"message": "it will not stop"}}}
            self.runs = self.before
        return {"state": "told", "ended": {"exit_code": 0, "outcome": "applied", "mode": self.runs}}

    def _end(self, name: str, code: int, outcome: str, message: str = "") -> None:
        error = {"error": {"message": message, "hint": None}} if code else {"mode": self.runs}
        self.requests[name]["ended"] = {"exit_code": code, "outcome": outcome, **error}
        if self.held_by == name:
            self.held_by = None


class SimulatedFleet:
    """A door to machines. `faults` are told the machine, the verb of `agent` and how often it was asked that of it before."""

    def __init__(self, nodes: dict[str, SimulatedNode], faults: Callable[[str, str, int], Fault | None] | None = None) -> None:
        self.nodes, self._faults = nodes, faults
        self.time, self.asked = 0.0, list[tuple[str, str]]()
        self.ids = itertools.count()
        self._turn = threading.Condition()

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        with self._turn:
            self.time += seconds
            self._pass()

    def _all_are_told(self) -> bool:
        """Whether everybody was told to go: in truth time passes for all at once, and one that is silent holds up nobody."""
        return all((name, "go") in self.asked for name, one in self.nodes.items() if one.held_by)

    def _pass(self) -> None:
        for one in self.nodes.values():
            one.expire(self.time)

    def ask(self, node: Node, words: Sequence[str], seconds: float | None = None, told: Told | None = None) -> Answer:
        with self._turn:
            verb = words[2] if words[1].startswith("--protocol") else words[1]
            fault = self._faults(node.name, verb, self.asked.count((node.name, verb))) if self._faults else None
            self.asked.append((node.name, verb))
            self.time += 0.2
            said = {} if fault in ("before", "gone") else self._done(self.nodes[node.name], verb, words)
            self._turn.notify_all()
            if verb == "go":
                self._turn.wait_for(self._all_are_told, timeout=10)
            if fault in ("before", "gone"):
                self.time += 15
            self._pass()
            return LOST if fault else Answer(0, f"motd\n{json.dumps({'agent': 1, **said})}\n")

    def _done(self, node: SimulatedNode, verb: str, words: Sequence[str]) -> dict[str, Any]:
        if verb == "begin":
            lease = next(float(one.partition("=")[2]) for one in words if one.startswith("--lease"))
            return node.begin(words[5], lease, words[6], self.time)
        name = words[2]
        return {"go": node.go, "drop": node.drop, "back": node.back}[verb](name)
