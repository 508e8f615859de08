"""A switch of several machines on the real thing: all of them or none, whatever is killed, frozen or cut off meanwhile."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.deep import deep
from tests.engine.apart import send
from tests.engine.asking_nodes import (
    ALL,
    GATED,
    Gate,
    all_free,
    asked,
    fleet_yaml,
    freeze_engine,
    heal_engine,
    history,
    is_free,
    kill_connections,
    kill_engine,
    on,
    running,
    started,
    waits,
    write_fleet,
)
from tests.engine.lab import ends, interrupt, until
from tests.engine.node import Node
from tests.engine.nodes import Fleet
from tests.engine.witness import Witness

pytestmark = pytest.mark.xdist_group("fleet")  # whose tests share two nodes, in make test-deep three
SLOW = {"OMNI_FAULT": "never-healthy"}
BOTH = "n1,n2"
"""The nodes that there are in `make test`, too."""


@pytest.fixture
def gates(fleet: Fleet) -> Iterator[dict[str, Gate]]:
    """The nodes with a gate in front of each: fleet.yaml names the program."""
    found = {name: Gate(one) for name, one in fleet.nodes.items()}
    for name, node in fleet.nodes.items():
        program = node.place.path("/usr/local/bin/gated")
        program.write_text(GATED)
        program.chmod(0o755)
        found[name].reset()
    write_fleet(fleet, {name: {"command": "/usr/local/bin/gated"} for name in fleet.nodes})
    yield found
    for one in found.values():
        one.reset()
    fleet_yaml(fleet).unlink()


def standing(fleet: Fleet, gates: dict[str, Gate], name: str, word: str, nodes: str = ALL) -> "subprocess.Popen[str]":
    """Ask nodes for audio, and return who asks once one of them stands at a word."""
    gates[name].close(word)
    asking = asked(fleet, nodes, "audio", "omni")
    gates[name].reached(word)
    return asking


def starting(fleet: Fleet, seconds: int, nodes: str = ALL) -> "subprocess.Popen[str]":
    """Ask nodes for audio, which takes so long to load, and return who asks once it has begun on each of them."""
    those = [fleet[name] for name in nodes.split(",")]
    for one in those:
        one.environment(STAND_IN_LOAD=f"{seconds}")
    asking = asked(fleet, nodes, "audio", "omni")
    until(lambda: all(one.running() == {"omni"} for one in those))
    return asking


@contextmanager
def switching(fleet: Fleet, name: str) -> Iterator[None]:
    """Have a node switch meanwhile, by itself, and without an end; it is interrupted at last."""
    fleet[name].environment(**SLOW)
    switch = fleet.spawn("ssh", "-tt", name, "spark-mode audio omni --timeout 100")
    until(lambda: fleet[name].running() == {"omni"})
    yield
    interrupt(switch)
    assert ends(switch).code != 0


@pytest.fixture(autouse=True)
def witnesses(fleet: Fleet) -> Iterator[list[Witness]]:
    """A witness of each node, in the order of their names, which has seen no overlap in the end."""
    with ExitStack() as left:
        found = [left.enter_context(one.events()) for one in fleet.nodes.values()]
        yield found
    for each in found:
        each.require(audio_starts=0, training_starts=0)


def found_again(fleet: Fleet, number: signal.Signals) -> None:
    """Ask two nodes for audio, and have it done though all connections are killed after the word, twice on one of them."""
    asking = starting(fleet, 2, BOTH)
    kill_connections(fleet, number)
    until(lambda: len(fleet.place.processes("ssh")) == 2)
    fleet["n2"].kill_sshd()
    fleet["n2"].start_sshd()
    outcome = ends(asking)
    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "audio omni: done on n1, n2")
    assert [history(fleet[name]) for name in ("n1", "n2")] == [[("audio omni", "applied")]] * 2


def refused_by(fleet: Fleet, nodes: str, name: str, witnesses: list[Witness]) -> None:
    """Ask nodes for audio of which one is held: nothing is started anywhere. Then that one is released."""
    before = started(witnesses)
    outcome = on(fleet, nodes, "audio", "omni", expect=4)
    assert f"{name}: " in outcome.err
    assert "Nothing was touched on any machine." in outcome.err
    assert started(witnesses) == before
    until(lambda: all_free(fleet))
    on(fleet, name, "release")
    assert fleet[name].status()["held"] == []


def test_two_switch_or_none_though_connections_are_killed_and_status_is_one_table_and_any_is_the_free_one(
    fleet: Fleet, witnesses: list[Witness]
) -> None:
    """Once for all of this, on two nodes; the deep tests have each of it on three."""
    n1, n2 = fleet["n1"], fleet["n2"]

    def runs() -> list[set[str]]:
        return [n1.running(), n2.running()]

    found_again(fleet, signal.SIGKILL)
    assert started(witnesses) == 2
    table = on(fleet, BOTH, "status").out.splitlines()
    assert [line.split()[:3] for line in table] == [["NODE", "MODE", "SINCE"], ["n1", "audio", "omni"], ["n2", "audio", "omni"]]

    n1.environment()
    assert on(fleet, "n1", "stop").out.splitlines()[-1] == "stop: done on n1"
    on(fleet, BOTH, "--any", "training", "--hold")
    assert runs() == [{"training"}, {"omni"}]
    refused_by(fleet, BOTH, "n1", witnesses)
    assert "this would stop training on n1" in on(fleet, BOTH, "up", "omni", expect=4).err

    on(fleet, BOTH, "audio", "omni")
    assert runs() == [{"omni"}, {"omni"}]
    assert history(n2)[-1:] == [("audio omni", "unchanged")]
    on(fleet, BOTH, "restore")
    assert runs() == [{"training"}, set()]

    n2.environment(OMNI_FAULT="crash-at-start")
    outcome = on(fleet, BOTH, "audio", "omni", expect=1)
    assert "n2: omni did not start" in outcome.out
    assert outcome.out.splitlines()[-1] == "audio omni: not done on any machine"
    assert runs() == [{"training"}, set()]
    assert history(n1)[-2:] == [("audio omni", "applied"), ("restore", "applied")]
    assert "another machine of the same request did not" in n1.spark_mode("history", "--format", "json").json[-1]["note"]
    until(lambda: all_free(fleet))


@deep
def test_all_switch_and_status_is_one_table_and_any_is_the_free_one(fleet: Fleet, witnesses: list[Witness]) -> None:
    assert on(fleet, ALL, "training").out.splitlines()[-1] == "training: done on n1, n2, n3"
    assert running(fleet) == ["training"] * 3
    assert [history(one) for one in fleet.nodes.values()] == [[("training", "applied")]] * 3
    table = on(fleet, ALL, "status").out.splitlines()
    assert [line.split()[:2] for line in table] == [["NODE", "MODE"], ["n1", "training"], ["n2", "training"], ["n3", "training"]]
    assert on(fleet, "n1,n2", "stop").out.splitlines()[-1] == "stop: done on n1, n2"
    assert running(fleet) == ["", "", "training"]
    refused = on(fleet, ALL, "up", "omni", expect=4)
    assert "this would stop training on n3" in refused.err
    on(fleet, "n2,n3", "--any", "audio", "omni")
    assert running(fleet) == ["", "omni", "training"]
    on(fleet, ALL, "audio", "omni")
    assert running(fleet) == ["omni"] * 3
    assert history(fleet["n2"])[-1:] == [("audio omni", "unchanged")]
    on(fleet, ALL, "restore")
    assert running(fleet) == ["", "", "training"]
    for each in witnesses:
        assert each.starts >= 2
    until(lambda: all_free(fleet))


def hold(node: Node) -> None:
    node.spark_mode("training", "--hold")


@deep
def test_one_that_refuses_has_nothing_started_anywhere(fleet: Fleet, witnesses: list[Witness]) -> None:
    hold(fleet["n2"])
    refused_by(fleet, ALL, "n2", witnesses)


@deep
def test_one_that_refuses_under_its_lock_has_those_let_go_that_had_it(
    fleet: Fleet, gates: dict[str, Gate], witnesses: list[Witness]
) -> None:
    """What was planned is another plan by the time of its turn."""
    asking = standing(fleet, gates, "n3", "begin")
    until(lambda: waits(fleet["n1"]) and waits(fleet["n2"]))
    assert "waiting for the word of who asks several machines at once" in fleet["n1"].status()["switching"]
    hold(fleet["n3"])
    gates["n3"].open("begin")
    outcome = ends(asking)
    assert outcome.code == 4
    assert "spark-mode: n3: " in outcome.out
    assert "Nothing was touched on any machine." in outcome.out
    until(lambda: all_free(fleet))
    assert started(witnesses) == 1
    assert running(fleet) == ["", "", "training"]


@deep
def test_a_busy_one_is_waited_for_where_that_is_asked_and_no_other_one_is_held_meanwhile(
    fleet: Fleet, witnesses: list[Witness]
) -> None:
    with switching(fleet, "n3"):
        assert "n3: " in on(fleet, ALL, "training", expect=5).out
        until(lambda: all_free(fleet, "n1", "n2"))
        assert started(witnesses) == 1
        asking = asked(fleet, ALL, "training", "--wait=100")
        until(lambda: waits(fleet["n2"]))
        until(lambda: all_free(fleet, "n1", "n2"))
    assert ends(asking).code == 0
    assert running(fleet) == ["training"] * 3


@deep
def test_a_busy_one_is_stopped_when_it_is_free(fleet: Fleet) -> None:
    with switching(fleet, "n2"):
        refused = on(fleet, "n1,n2", "stop", expect=5).out
        assert refused.startswith("n1: idle")
        assert "n2: another switch is running" in refused
        asking = asked(fleet, "n1,n2", "stop", "--wait=100")
        time.sleep(2)
    assert ends(asking).code == 0


@deep
def test_a_lease_ends_by_itself_and_a_request_is_begun_once(fleet: Fleet, witnesses: list[Witness]) -> None:
    name = "0123456789abcdef"
    begin = f"spark-mode agent --protocol=1 begin --lease=8 --verb=training {name} training"
    assert json.loads(fleet.ssh("n1", begin).out)["state"] == "told"
    assert waits(fleet["n1"])
    assert json.loads(fleet.ssh("n1", begin).out)["state"] == "told"
    until(lambda: is_free(fleet["n1"]), 30)
    late = json.loads(fleet.ssh("n1", f"spark-mode agent go {name}").out)
    assert late["ended"]["exit_code"] == 4
    assert "no word came within 8 s" in late["ended"]["error"]["message"]
    assert started(witnesses) == 0
    assert len(fleet["n1"].place.path(f"{fleet['n1'].place.home}/.local/state/spark-mode/requests/{name}/events").read_text()) > 0


def kill_client(fleet: Fleet, asking: "subprocess.Popen[str]") -> None:
    """kill -9 of whoever asks, and of its connections, as when that machine is switched off."""
    send(fleet.place.processes(), signal.SIGKILL)
    asking.communicate()


@deep
def test_a_client_that_is_killed_before_the_word_has_nothing_started_and_the_leases_end(
    fleet: Fleet, gates: dict[str, Gate], witnesses: list[Witness]
) -> None:
    asking = standing(fleet, gates, "n2", "begin", "n1,n2")
    until(lambda: waits(fleet["n1"]))
    kill_client(fleet, asking)
    assert waits(fleet["n1"])
    busy = on(fleet, "n1,n3", "training", expect=5)
    assert "n1: " in busy.out
    gates["n2"].open("begin")
    until(lambda: waits(fleet["n2"]))
    on(fleet, "n1,n2,n3", "training", "--wait=90")  # both leases end meanwhile
    assert started(witnesses) == 3
    assert [history(one)[-1] for one in fleet.nodes.values()] == [("training", "applied")] * 3


@deep
def test_a_client_that_is_killed_after_the_word_leaves_all_to_finish(fleet: Fleet, witnesses: list[Witness]) -> None:
    asking = starting(fleet, 12)
    kill_client(fleet, asking)
    assert on(fleet, ALL, "status", "--format", "json").json["n1"]["switching"]
    until(lambda: all_free(fleet), 60)
    assert running(fleet) == ["omni"] * 3
    on(fleet, ALL, "audio", "omni")
    assert started(witnesses) == 3


@deep
def test_a_word_that_came_to_some_alone_before_the_client_was_killed_is_seen_in_the_table(
    fleet: Fleet, gates: dict[str, Gate], witnesses: list[Witness]
) -> None:
    asking = standing(fleet, gates, "n2", "go", "n1,n2")
    until(lambda: fleet["n1"].running() == {"omni"})
    kill_client(fleet, asking)
    send(fleet["n2"].place.processes("gated", "sh"), signal.SIGKILL)
    until(lambda: is_free(fleet["n1"]))
    table = on(fleet, "n1,n2", "status").out
    assert "n1    audio omni" in table
    assert "n2: " in table
    assert "waiting for the word" in table
    send(fleet["n2"].place.processes("python3", "python"), signal.SIGTERM)
    until(lambda: is_free(fleet["n2"]))
    assert started(witnesses) == 1


@deep
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_connections_that_are_killed_after_the_word_are_found_again_and_nothing_is_done_twice(
    fleet: Fleet, witnesses: list[Witness], number: signal.Signals
) -> None:
    found_again(fleet, number)
    assert history(fleet["n3"]) == []
    assert started(witnesses) == 2


@deep
def test_one_that_is_cut_off_for_a_moment_after_the_word_is_found_again(fleet: Fleet, witnesses: list[Witness]) -> None:
    asking = starting(fleet, 1)
    fleet["n2"].partition()
    fleet["n3"].freeze_sshd()
    time.sleep(5)
    fleet["n2"].join()
    fleet["n3"].thaw_sshd()
    assert ends(asking).code == 0
    assert running(fleet) == ["omni"] * 3
    assert started(witnesses) == 3


@deep
def test_one_that_stays_cut_off_is_unknown_and_the_others_go_back(fleet: Fleet) -> None:
    on(fleet, ALL, "training")
    asking = starting(fleet, 1)
    fleet["n2"].partition()
    fleet["n3"].freeze_sshd()
    outcome = ends(asking)
    assert outcome.code == 6
    assert "n1: what ran before runs again\nn2: UNKNOWN: " in outcome.out
    assert outcome.out.splitlines()[-1] == ("audio omni: not done; what became of it on n2, n3 is unknown, the others went back")
    assert on(fleet, ALL, "status", expect=6).out.count("unknown") == 2
    fleet["n2"].join()
    fleet["n3"].thaw_sshd()
    assert running(fleet) == ["training", "omni", "omni"]
    until(lambda: all_free(fleet))


@deep
@pytest.mark.parametrize("breaks", [freeze_engine, kill_engine])
def test_an_engine_that_breaks_before_the_word_has_nothing_started(
    fleet: Fleet, gates: dict[str, Gate], witnesses: list[Witness], breaks: Callable[[Node], None]
) -> None:
    asking = standing(fleet, gates, "n2", "begin")
    breaks(fleet["n2"])
    gates["n2"].open("begin")
    outcome = ends(asking)
    assert outcome.code == 6
    assert "n1: would have; it has let go\nn2: " in outcome.out
    assert is_free(fleet["n1"])
    heal_engine(fleet["n2"])
    assert started(witnesses) == 0
    until(lambda: all_free(fleet))


@deep
@pytest.mark.parametrize("breaks", [freeze_engine, kill_engine])
def test_an_engine_that_breaks_after_the_word_has_the_others_go_back(
    fleet: Fleet, gates: dict[str, Gate], breaks: Callable[[Node], None]
) -> None:
    asking = standing(fleet, gates, "n2", "go")
    breaks(fleet["n2"])
    gates["n2"].open("go")
    outcome = ends(asking)
    assert outcome.code in (1, 6, 7), outcome
    assert "n1: what ran before runs again\nn2: " in outcome.out
    heal_engine(fleet["n2"])
    fleet["n2"].spark_mode("recover")
    assert running(fleet) == [""] * 3
    until(lambda: all_free(fleet))


@deep
def test_a_start_that_fails_on_one_has_the_others_go_back(fleet: Fleet) -> None:
    fleet["n1"].spark_mode("training")
    fleet["n2"].environment(OMNI_FAULT="crash-at-start")
    outcome = on(fleet, "n1,n2", "audio", "omni", expect=1)
    assert "n2: omni did not start" in outcome.out
    assert outcome.out.splitlines()[-1] == "audio omni: not done on any machine"
    assert running(fleet) == ["training", "", ""]
    assert history(fleet["n1"])[-2:] == [("audio omni", "applied"), ("restore", "applied")]
    note = fleet["n1"].spark_mode("history", "--format", "json").json[-1]["note"]
    assert "another machine of the same request did not" in note


@deep
def test_two_who_ask_crossing_sets_at_once_are_both_done(fleet: Fleet) -> None:
    sets = {"n1,n2": ("audio", "omni"), "n2,n3": ("training",), "n1,n3": ("audio", "chatterbox")}
    asking = [asked(fleet, nodes, *words, "--yes", "--wait=120") for nodes, words in sets.items()]
    assert [ends(one).code for one in asking] == [0, 0, 0]
    done = [{request for request, outcome in history(one) if outcome == "applied"} for one in fleet.nodes.values()]
    assert done == [{"audio omni", "audio chatterbox"}, {"audio omni", "training"}, {"training", "audio chatterbox"}]
    until(lambda: all_free(fleet))


@deep
def test_what_somebody_asked_for_since_stays(fleet: Fleet, gates: dict[str, Gate]) -> None:
    fleet["n2"].environment(OMNI_FAULT="crash-at-start")
    asking = standing(fleet, gates, "n2", "go", "n1,n2")
    until(lambda: history(fleet["n1"]) == [("audio omni", "applied")])
    fleet["n1"].spark_mode("training")
    gates["n2"].open("go")
    outcome = ends(asking)
    assert outcome.code == 7
    assert "n1: it switched, and did not go back: " in outcome.out
    assert running(fleet) == ["training", "", ""]


def test_machines_that_cannot_be_asked_say_so_by_name(fleet: Fleet) -> None:
    other = fleet["n2"].place.path("/usr/local/bin/other")
    other.write_text('#!/bin/sh\n[ "$1" = agent ] && shift 2 && exec spark-mode agent --protocol=2 "$@"\nexec spark-mode "$@"\n')
    other.chmod(0o755)
    write_fleet(
        fleet,
        {
            "one": {"ssh": "root@n1"},
            "n2": {"command": "no-such-program"},
            "other": {"ssh": "root@n2", "command": "/usr/local/bin/other"},
        },
        two=["one", "other"],
    )
    missing = on(fleet, "all", "audio", "omni", expect=3)
    assert "n2: there is no no-such-program on the PATH" in missing.err
    refused = on(fleet, "two", "audio", "omni", expect=2)
    assert "other: " in refused.out
    assert "speaks protocol 1, and was asked in 2" in refused.out
    assert "have the same version on both machines" in refused.out
    assert on(fleet, "t*,!other", "status", expect=2)
    assert on(fleet, "on*", "status").out.count("idle") == 1
    assert [one.running() for one in fleet.nodes.values()] == [set()] * len(fleet.nodes)
    until(lambda: all_free(fleet))


@deep
def test_ctrl_c_before_the_word_has_all_let_go_and_after_it_all_finish(
    fleet: Fleet, gates: dict[str, Gate], witnesses: list[Witness]
) -> None:
    asking = standing(fleet, gates, "n3", "begin")
    until(lambda: waits(fleet["n2"]))
    interrupt(asking)
    gates["n3"].open("begin")
    outcome = ends(asking)
    assert outcome.code == 130, outcome
    assert "nothing was begun on any machine" in outcome.out
    until(lambda: all_free(fleet))
    assert started(witnesses) == 0
    asking = standing(fleet, gates, "n3", "go")
    interrupt(asking)
    since = time.monotonic()
    outcome = ends(asking)
    assert outcome.code == 130, outcome
    assert "what was begun on the machines goes on there" in outcome.out
    assert time.monotonic() - since < 5
    gates["n3"].open("go")
    until(lambda: all_free(fleet), 60)
    assert running(fleet) == ["omni"] * 3
