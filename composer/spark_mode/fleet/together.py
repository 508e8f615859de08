"""A switch of several machines: all of them, or none. Each keeps its own rule, whatever is asked of it here.

First every machine takes its own lock and makes its plan, one after the other in the order of their names, and nothing is done;
one that refuses, or does not answer, has all let go. Then all carry it out at once. Where one of them does not, those that did go
back.

Nobody waits for a machine while another one is held: two who ask crossing sets at once cannot wait for each other.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from spark_mode.errors import EngineUnavailable, LockBusy, NeedsAttention, SwitchFailed
from spark_mode.fleet.nodes import Node
from spark_mode.fleet.requesting import Asked, End, Now, Sleep
from spark_mode.fleet.ssh import Answer, Door

LEASE_SECONDS, LEASE_OF_EACH = 30.0, 3.0
"""How long a machine waits for its word, and how much longer for each of the others."""
STOP_SECONDS = 1.0
"""The lease of a stop, which waits for no word."""
PAUSE_SECONDS = 1.0
MOST_AT_ONCE = 32
DROPPED, WENT_BACK, STAYS = "dropped", "went back", "stays"
"""Outcomes on a machine that are not its own: it let go, it went back, or it should have and did not."""
T = TypeVar("T")
Report = tuple[End, ...]


def at_once(nodes: Sequence[Node], ask: Callable[[Node], T]) -> list[T]:
    """Ask machines side by side, and return their answers in the same order. Ctrl-C leaves at once, and them at it."""
    pool = ThreadPoolExecutor(min(MOST_AT_ONCE, max(1, len(nodes))))
    try:
        return list(pool.map(ask, nodes))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def ask_all(door: Door, nodes: Sequence[Node], words: Sequence[str], seconds: float) -> dict[Node, Answer]:
    """Ask machines the same, all at once."""
    return dict(zip(nodes, at_once(nodes, lambda node: door.ask(node, words, seconds)), strict=True))


def switch(
    make: Callable[[], Asked],
    nodes: Sequence[Node],
    digests: Mapping[str, str],
    lab: Sequence[str],
    wait_seconds: float | None,
    now: Now,
    sleep: Sleep,
) -> Report:
    """Have all machines switch, or none, and return how it ended on each that was asked.

    `make` makes a request with a new id; `digests` are the plans that were agreed to; `lab` are the options that name the lab. A
    machine that is busy is asked again for so many seconds, None without end, and no other one is held meanwhile.
    """
    asked, ends = _unless_busy(make, lambda asked: _admit(asked, nodes, digests), wait_seconds, now, sleep)
    if ends[-1].state != "admitted":
        return ends
    ends = tuple(at_once(nodes, asked.go))
    return ends if all(one.is_done for one in ends) else _back(asked, nodes, ends, lab)


def stop(
    make: Callable[[], Asked],
    nodes: Sequence[Node],
    digests: Mapping[str, str],
    wait_seconds: float | None,
    now: Now,
    sleep: Sleep,
) -> Report:
    """Have all machines stop at once: what is stopped is safe, whatever becomes of the others. The rest is as for `switch`."""

    def stopped(node: Node) -> End:
        def begin(asked: Asked) -> Report:
            return (asked.begin(node, STOP_SECONDS, digests.get(node.name)),)

        asked, (begun,) = _unless_busy(make, begin, wait_seconds, now, sleep)
        return asked.go(node) if begun.state == "admitted" else begun

    return tuple(at_once(nodes, stopped))


def _unless_busy(
    make: Callable[[], Asked], begin: Callable[[Asked], Report], wait_seconds: float | None, now: Now, sleep: Sleep
) -> tuple[Asked, Report]:
    """Begin requests, one after the other, until the last machine that was asked is not busy, or it was waited long enough."""
    until = None if wait_seconds is None else now() + wait_seconds
    while True:
        asked = make()
        ends = begin(asked)
        if ends[-1].state == "admitted" or ends[-1].code != LockBusy.exit_code or (until is not None and now() >= until):
            return asked, ends
        sleep(PAUSE_SECONDS)


def _admit(asked: Asked, nodes: Sequence[Node], digests: Mapping[str, str]) -> Report:
    """Have every machine take its lock and make its plan, until one does not: then all let go, and that one is the last."""
    lease, ends, begun = LEASE_SECONDS + LEASE_OF_EACH * len(nodes), list[End](), list[Node]()
    all_admitted = False
    try:
        for node in nodes:
            begun.append(node)
            ends.append(asked.begin(node, lease, digests.get(node.name)))
            if ends[-1].state != "admitted":
                break
        all_admitted = ends[-1].state == "admitted"
    finally:  # after Ctrl-C, too: whoever waits for a word need not wait for the end of the lease
        if not all_admitted:
            at_once(begun, asked.drop)
    if all_admitted:
        return tuple(ends)
    return (*(one._replace(state="ended", outcome=DROPPED) for one in ends[:-1]), ends[-1])


def _back(asked: Asked, nodes: Sequence[Node], ends: Report, lab: Sequence[str]) -> Report:
    """Have the machines go back that did what the others did not."""
    by_name = {one.name: one for one in nodes}
    changed = [by_name[one.node] for one in ends if one.outcome == "applied"]
    backs = {one.node: one for one in at_once(changed, lambda node: asked.back(node, lab))}
    return tuple(_after(one, backs.get(one.node)) for one in ends)


def _after(end: End, back: End | None) -> End:
    if back is None:
        return end
    if back.is_done:
        return back._replace(code=SwitchFailed.exit_code, outcome=WENT_BACK, message="what ran before runs again")
    message = f"it switched, and did not go back: {back.message}"
    return back._replace(code=NeedsAttention.exit_code, outcome=STAYS, message=message)


def exit_code(ends: Report, nodes: Sequence[Node]) -> int:
    """Return 0 only where all machines have confirmed, and 6 where one is not known.

    Where nothing was done that is what the machine exited with which could not; where all went back, that of a failed start.
    """
    if len(ends) == len(nodes) and all(one.is_done for one in ends):
        return 0
    if any(one.state == "lost" for one in ends):
        return EngineUnavailable.exit_code
    if any(one.outcome in (WENT_BACK, STAYS) for one in ends):
        needs_somebody = any(one.code == NeedsAttention.exit_code for one in ends)
        return NeedsAttention.exit_code if needs_somebody else SwitchFailed.exit_code
    return max(one.code for one in ends) or SwitchFailed.exit_code
