"""A switch of several machines is done by all of them or by none, whatever is lost on the way; what is unknown is said."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_mode.fleet.nodes import Node
from spark_mode.fleet.requesting import Asked, End
from spark_mode.fleet.together import LEASE_OF_EACH, LEASE_SECONDS, exit_code, switch
from tests.simulation.fleet import Fault, SimulatedFleet, SimulatedNode

NAMES = ("n1", "n2", "n3")
NODES = [Node(name=name) for name in NAMES]
WORDS: list[Fault | None] = [None, "before", "after", "gone"]


def fleet(faults: Callable[[str, str, int], Fault | None] | None = None) -> SimulatedFleet:
    return SimulatedFleet({name: SimulatedNode() for name in NAMES}, faults)


def untold(node: str, event: Mapping[str, Any]) -> None:
    """Nobody looks."""


def ask(on: SimulatedFleet, wait: float | None = 0.0, nodes: list[Node] = NODES) -> tuple[int, dict[str, End]]:
    """Ask for training on machines; return the exit code and how it ended on each."""

    def make() -> Asked:
        return Asked(on, f"{next(on.ids):016x}", "training", ("training",), on.now, on.sleep, untold)

    ends = switch(make, nodes, {one.name: "d" for one in nodes}, (), wait, on.now, on.sleep)
    return exit_code(ends, nodes), {one.node: one for one in ends}


def runs(on: SimulatedFleet) -> dict[str, str]:
    return {name: one.runs for name, one in on.nodes.items()}


def everywhere(mode: str) -> dict[str, str]:
    return dict.fromkeys(NAMES, mode)


def lost(node: str, verb: str, fault: Fault, times: int | None = None) -> Callable[[str, str, int], Fault | None]:
    """Have the connection lost when a machine is asked something, so many times or for good."""
    return lambda at, asked, count: fault if (at, asked) == (node, verb) and (times is None or count < times) else None


def let_go(on: SimulatedFleet) -> bool:
    """Whether no machine is held any more, once the leases have ended."""
    on.sleep(LEASE_SECONDS + LEASE_OF_EACH * len(NAMES))
    return all(one.held_by is None for one in on.nodes.values())


def test_all_of_them_switch() -> None:
    on = fleet()
    assert ask(on)[0] == 0
    assert runs(on) == everywhere("training")


def test_each_is_admitted_before_the_first_one_goes_and_in_the_order_of_their_names() -> None:
    on = fleet()
    ask(on)
    assert on.asked[:3] == [(name, "begin") for name in NAMES]
    assert sorted(on.asked[3:]) == [(name, "go") for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_one_that_refuses_has_all_let_go_and_nothing_is_started(name: str) -> None:
    on = fleet()
    on.nodes[name].refuses = True
    code, ends = ask(on)
    assert (code, ends[name].message) == (4, "it does not fit")
    assert runs(on) == everywhere("idle")
    assert all(one.held_by is None for one in on.nodes.values())


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("name", NAMES)
def test_one_that_is_lost_before_the_word_has_all_let_go_and_its_lease_ends(name: str, fault: Fault) -> None:
    on = fleet(lambda *asked: fault if asked[0] == name else None)
    code, ends = ask(on)
    assert (code, ends[name].state) == (6, "lost")
    assert all(one.held_by is None for other, one in on.nodes.items() if other != name)
    assert let_go(on)
    assert runs(on) == everywhere("idle")


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("name", NAMES)
def test_one_that_is_lost_for_a_moment_is_found_again_and_switches_once(name: str, fault: Fault) -> None:
    on = fleet(lost(name, "go", fault, times=2))
    on_time = LEASE_SECONDS + LEASE_OF_EACH * len(NAMES)
    assert on_time > 2 * 15
    assert ask(on)[0] == 0
    assert runs(on) == everywhere("training")
    assert [len(one.carried_out) for one in on.nodes.values()] == [1, 1, 1]


@pytest.mark.parametrize("fault", ["after", "gone"])
@pytest.mark.parametrize("name", NAMES)
def test_one_that_stays_lost_is_unknown_and_the_others_go_back(name: str, fault: Fault) -> None:
    on = fleet(lost(name, "go", fault))
    code, ends = ask(on)
    assert (code, ends[name].state) == (6, "lost")
    assert {one.outcome for other, one in ends.items() if other != name} == {"went back"}
    assert {mode for other, mode in runs(on).items() if other != name} == {"idle"}


@pytest.mark.parametrize("name", NAMES)
def test_one_whose_start_fails_has_the_others_go_back(name: str) -> None:
    on = fleet()
    on.nodes[name].fails = True
    code, ends = ask(on)
    assert (code, ends[name].message) == (1, "its model does not load")
    assert runs(on) == everywhere("idle")


def test_one_that_does_not_go_back_needs_a_person() -> None:
    on = fleet()
    on.nodes["n1"].fails, on.nodes["n2"].goes_back_badly = True, True
    code, ends = ask(on)
    assert (code, ends["n2"].outcome, ends["n3"].outcome) == (7, "stays", "went back")


def test_one_that_has_nothing_to_do_is_confirmed_and_is_not_brought_back() -> None:
    on = fleet()
    on.nodes["n2"].runs = "training"
    assert ask(on)[0] == 0
    on = fleet()
    on.nodes["n2"].runs, on.nodes["n3"].fails = "training", True
    assert ask(on)[0] == 1
    assert runs(on) == {"n1": "idle", "n2": "training", "n3": "idle"}


def test_a_busy_one_is_asked_again_and_nobody_waits_while_another_one_is_held() -> None:
    on = fleet()
    on.nodes["n2"].busy_until = 5.0
    seen: list[str | None] = []
    sleep = on.sleep

    def watched(seconds: float) -> None:
        seen.extend(one.held_by for one in on.nodes.values())
        sleep(seconds)

    on.sleep = watched  # type: ignore[method-assign]  # looks on
    assert ask(on, wait=20.0)[0] == 0
    assert seen
    assert {*seen} == {None}


def test_a_busy_one_is_not_waited_for_where_nobody_asked_for_that() -> None:
    on = fleet()
    on.nodes["n3"].busy_until = 5.0
    assert ask(on)[0] == 5
    on.nodes["n3"].busy_until = 50.0
    assert ask(on, wait=1.0)[0] == 5
    assert runs(on) == everywhere("idle")


FAULTS = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["begin", "go", "drop", "back"]), st.integers(0, 2)),
    st.sampled_from(["before", "after", "gone"]),
    max_size=8,
)


@given(FAULTS, st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES)))
def test_whatever_is_lost_done_means_that_all_have_done_it_and_anything_else_is_said(
    faults: dict[tuple[str, str, int], Fault], refuse: set[str], fail: set[str], badly: set[str]
) -> None:
    gone: set[str] = set()

    def fault(node: str, verb: str, count: int) -> Fault | None:
        found = faults.get((node, verb, count))
        gone.update({node} if found == "gone" else ())
        return "gone" if node in gone else found

    on = fleet(fault)
    for name, one in on.nodes.items():
        one.refuses, one.fails, one.goes_back_badly = name in refuse, name in fail, name in badly
    code, ends = ask(on)
    assert (code == 0) == (runs(on) == everywhere("training") and all(one.is_done for one in ends.values()))
    assert let_go(on)
    for name, one in on.nodes.items():
        assert len(one.carried_out) <= 1
        if one.runs == "training" and code != 0:  # then it was said of this one, by name
            assert ends[name].state == "lost" or ends[name].outcome == "stays"


@given(st.lists(st.sets(st.sampled_from(NAMES), min_size=1), min_size=2, max_size=4))
def test_crossing_sets_never_wait_for_each_other(sets: list[set[str]]) -> None:
    """Whoever is refused has let go of everything when the next one asks."""
    on = fleet()
    for names in sets:
        for one in on.nodes.values():
            one.runs = "idle"
        assert ask(on, nodes=[one for one in NODES if one.name in names])[0] == 0
        assert all(one.held_by is None for one in on.nodes.values())


def test_where_one_refuses_at_the_word_and_the_others_go_back_it_is_no_refusal_that_touched_nothing() -> None:
    """Its lease had ended: the first one waits the longest."""
    on = fleet()
    begin = on.nodes["n2"].begin

    def slowly(name: str, lease: float, mode: str, now: float) -> dict[str, Any]:
        on.time = now + 60
        return begin(name, lease, mode, on.time)

    on.nodes["n2"].begin = slowly  # type: ignore[method-assign]  # takes its time
    code, ends = ask(on)
    assert (code, ends["n1"].message, ends["n2"].outcome) == (1, "no word came", "went back")
    assert runs(on) == everywhere("idle")
