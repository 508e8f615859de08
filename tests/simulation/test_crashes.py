"""A kill before and after every effect of every switch: one recovery leaves the lab in a mode, and there is nothing more to do.

Each switch is asked for with all that belongs to an intent: a question to agree to, a hold, and what follows a training. The
runs are counted: two for each effect of the uninterrupted run (killed before it, and before it while the engine still does
it a second later), one after the last, and in the same way for each effect of every recovery. After an effect is before
the next one: what a switch does between them leaves no trace. One of the two is tried at each effect, in turn; both in
`make test-deep`.
"""

from collections.abc import Callable, Iterator
from itertools import islice, pairwise, product
from pathlib import Path
from typing import NamedTuple

import pytest

from spark_mode.errors import SparkModeError
from spark_mode.journal.journal import journal_state
from spark_mode.journal.records import Ended
from spark_mode.lab.size import GB
from spark_mode.planning.request import Request
from tests.deep import DEEP
from tests.simulation.engine import LATE_SECONDS, Killed, When
from tests.simulation.lab import PROJECT, REQUESTS, ask, machine, recover
from tests.simulation.machine import JOURNAL_LIMIT, SimulatedMachine

MODES = (REQUESTS[0], REQUESTS[2], REQUESTS[5], REQUESTS[6], REQUESTS[7])
"""One speech model alone, one with helpers, training, training in a variant, and nothing."""
FAULTS = ("none", "compose", "crash", "disk")
"""Nothing else goes wrong; Compose fails, or the service crashes, at the last act; the disk is full after some records."""
NESTED = (REQUESTS[0], REQUESTS[5])
ROUND = (REQUESTS[0], REQUESTS[5], REQUESTS[2], REQUESTS[0])
FULL_AFTER = 5
APART = 1 if DEEP else 2
"""Of a recovery that is killed too: each of how many kills of the switch it follows."""
BEFORE: tuple[When, ...] = ("before", "late")


class Scenario(NamedTuple):
    former: Request
    request: Request
    fault: str

    def __str__(self) -> str:
        return f"{self.former} to {self.request}, {self.fault}"


NOTHING_TO_DO = (REQUESTS[6], REQUESTS[5])
"""From a variant of training to training: that runs already, so that there is nothing to recover."""
PAIRS = [(former, request) for former in MODES for request in MODES if former != request]
FEWER = PAIRS if DEEP else [*pairwise(ROUND)]
"""The pairs between which something else goes wrong as well: once round three modes; between all of them in `make test-deep`."""
SCENARIOS = [Scenario(*pair, fault) for fault in FAULTS for pair in (PAIRS if fault == "none" else FEWER)]
HARD = [one for one in SCENARIOS if one.fault == "none" and one[:2] in FEWER]
"""Those in which what goes wrong is harder than a fault: a full disk, no power, a next switch."""
RECOVERED = [one for one in SCENARIOS if one[:2] != NOTHING_TO_DO]


def is_nested(one: Scenario) -> bool:
    """Whether the recovery itself is killed as well: between two modes, and in `make test-deep` wherever a service crashes."""
    return (one.fault == "none" and one.former in NESTED and one.request in NESTED) or (
        one.fault == "crash" and (DEEP or one[:2] == NESTED)
    )


def prepared(scenario: Scenario, folder: Path) -> SimulatedMachine:
    """Return a machine in the former mode, on which the request will meet its fault."""
    one = machine()
    ask(one, folder, scenario.former)
    if scenario.fault == "disk":
        one.disk_full_at = one.effects + FULL_AFTER
    elif scenario.fault != "none":
        trial = one.fork()
        ask(trial, folder, scenario.request)
        one.fail_at = max(index for index, act in enumerate(trial.acts) if act.startswith(("up ", "start ", "compose stop ")))
        one.fault = scenario.fault
    return one


def intent(request: Request) -> dict[str, bool]:
    """Return the options of a request with all that can be intended by it."""
    return {"yes": False, "hold": request.verb != "stop", "then": request.verb == "to" and request.mode == "training"}


def attempt(one: SimulatedMachine, folder: Path, request: Request | None, **options: bool) -> bool:
    """Ask for a switch, or a recovery, and return whether it was killed."""
    try:
        if request:
            ask(one, folder, request, **(options or intent(request)))
        else:
            recover(one, folder)
    except Killed:
        return True
    except SparkModeError as error:
        assert error.message
    return False


def killed(start: SimulatedMachine, folder: Path, request: Request | None, **options: bool) -> Iterator[SimulatedMachine]:
    """Yield the machine after each kill that a switch, or a recovery, can meet; each of them must have happened."""
    whole = start.fork()
    assert not attempt(whole, folder, request, **options)
    for kill_at in kills(start, whole):
        one = start.fork()
        one.kill_at = kill_at
        assert attempt(one, folder, request, **options), f"nothing was killed: {kill_at}"
        one.kill_at = None
        yield one


def killed_during(start: SimulatedMachine, act: Callable[[SimulatedMachine], object]) -> Iterator[SimulatedMachine]:
    """Yield the machine after each kill that an act can meet which succeeds without one."""
    whole = start.fork()
    act(whole)
    for kill_at in kills(start, whole):
        one = start.fork()
        one.kill_at = kill_at
        with pytest.raises(Killed):
            act(one)
        one.kill_at = None
        yield one


def kills(start: SimulatedMachine, whole: SimulatedMachine) -> list[tuple[int, When]]:
    """Return every kill that a run from one state of the machine to another can meet."""
    effects = range(start.effects, whole.effects)
    last: list[tuple[int, When]] = [(effect, "after") for effect in effects[-1:]]
    return [(effect, when) for effect in effects for when in BEFORE if DEEP or when == BEFORE[effect % 2]] + last


def recovered(one: SimulatedMachine, folder: Path) -> None:
    """Recover until that succeeds: a fault may meet the recovery too, and there is room on the disk again.

    None says what another one has said.
    """
    one.disk_full_at = None
    said: list[str] = []
    while True:
        try:
            recover(one, folder)
        except SparkModeError as error:
            assert error.message not in said
            said.append(error.message)
        else:
            return


def require_settled(
    one: SimulatedMachine, folder: Path, legal: list[dict[str, str | None]], request: Request | None = None
) -> None:
    """See that the lab is in one of two modes, nothing was broken on the way, and a second recovery does nothing.

    Where the request was carried out, what belonged to its intent is in force.
    """
    assert one.wrongs == []
    assert one.running() in legal, f"{one.acts} left {one.running()}"
    known = journal_state(one.journal.records())
    assert known.unfinished is None
    if request and legal[0] != legal[-1]:
        done = one.running() == legal[-1]
        assert bool(known.holds) == (done and intent(request)["hold"]), f"{one.acts}: {known.holds}"
        assert known.restores == (done and intent(request)["then"])
    acts = len(one.acts)
    assert recover(one, folder).outcome == "unchanged"
    assert len(one.acts) == acts


def ends(scenario: Scenario, folder: Path) -> list[dict[str, str | None]]:
    """Return what may run in the end: what ran before, and what was asked for."""
    one = machine()
    ask(one, folder, scenario.former)
    former = one.running()
    ask(one, folder, scenario.request)
    return [former, one.running()]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_one_recovery_settles_the_lab_whenever_the_switch_was_killed(scenario: Scenario, tmp_path: Path) -> None:
    start, legal = prepared(scenario, tmp_path), ends(scenario, tmp_path)
    whole = start.fork()
    attempt(whole, tmp_path, scenario.request)
    runs = 0
    for one in killed(start, tmp_path, scenario.request):
        runs += 1
        recovered(one, tmp_path)
        require_settled(one, tmp_path, legal, scenario.request)
    assert runs == len(kills(start, whole)) > 1


@pytest.mark.parametrize("scenario", HARD, ids=str)
def test_one_recovery_settles_the_lab_whenever_the_disk_filled_up(scenario: Scenario, tmp_path: Path) -> None:
    """What ran before runs again, or what was asked for: a stop that could not be written down is not forgotten."""
    start, legal = prepared(scenario, tmp_path), ends(scenario, tmp_path)
    whole = start.fork()
    attempt(whole, tmp_path, scenario.request)
    for effect in range(start.effects, whole.effects):
        one = start.fork()
        one.disk_full_at = effect
        assert not attempt(one, tmp_path, scenario.request)
        recovered(one, tmp_path)
        require_settled(one, tmp_path, legal, scenario.request)


@pytest.mark.parametrize("scenario", [one for one in RECOVERED if is_nested(one)], ids=str)
def test_a_recovery_that_is_killed_is_finished_by_the_next(scenario: Scenario, tmp_path: Path) -> None:
    start, legal = prepared(scenario, tmp_path), ends(scenario, tmp_path)
    runs = expected = 0
    for cut_off in islice(killed(start, tmp_path, scenario.request), 0, None, APART):
        cut_off.disk_full_at = None
        whole = cut_off.fork()
        attempt(whole, tmp_path, None)
        expected += len(kills(cut_off, whole))
        for one in killed(cut_off, tmp_path, None):
            runs += 1
            recovered(one, tmp_path)
            require_settled(one, tmp_path, legal, scenario.request)
    assert runs == expected > 1


LONG = Ended(switch="r", at="now", by="eve", request="up f5", outcome="refused", seconds=0.1, note="x" * (JOURNAL_LIMIT - 2500))


@pytest.mark.parametrize("filled", range(0, 2500, 250))
def test_a_switch_that_is_killed_while_its_journal_begins_anew_is_recovered(filled: int, tmp_path: Path) -> None:
    """The journal is so long before the switch that it begins anew in its middle, each time at another record."""
    scenario = Scenario(MODES[1], MODES[2], "none")
    start, legal = prepared(scenario, tmp_path), ends(scenario, tmp_path)
    start.journal.append(LONG.model_copy(update={"note": "x" * filled + (LONG.note or "")}))
    whole = start.fork()
    attempt(whole, tmp_path, scenario.request)
    assert "lab.journal anew" in whole.lines[len(start.lines) :]
    for one in killed(start, tmp_path, scenario.request):
        recovered(one, tmp_path)
        require_settled(one, tmp_path, legal)


@pytest.mark.parametrize("scenario", HARD, ids=str)
def test_one_recovery_settles_the_lab_whenever_the_power_failed(scenario: Scenario, tmp_path: Path) -> None:
    """Of what was not synced nothing, a part or all is there; restart policies start what they start."""
    start = prepared(scenario, tmp_path)
    for torn, one in product((0, 20, 10_000), killed(start, tmp_path, scenario.request)):
        off = one.fork()
        off.lose_power(torn)
        recovered(off, tmp_path)
        assert off.wrongs == []
        assert journal_state(off.journal.records()).unfinished is None
        acts = len(off.acts)
        assert recover(off, tmp_path).outcome == "unchanged"
        assert len(off.acts) == acts


@pytest.mark.parametrize("scenario", HARD, ids=str)
def test_the_next_switch_recovers_first_and_then_does_what_it_is_asked(scenario: Scenario, tmp_path: Path) -> None:
    start = prepared(scenario, tmp_path)
    there_and_back = start.fork()
    ask(there_and_back, tmp_path, scenario.request)
    ask(there_and_back, tmp_path, scenario.former)
    for one in killed(start, tmp_path, scenario.request, yes=True):
        ask(one, tmp_path, scenario.former)
        assert one.wrongs == []
        assert one.running() in (start.running(), there_and_back.running())
        assert journal_state(one.journal.records()).unfinished is None


MISFORTUNES: dict[str, Callable[[SimulatedMachine], None]] = {
    "nothing gets well": lambda one: one.sick.update(PROJECT.services),
    "nothing dies": lambda one: one.undying.update(PROJECT.services),
    "others took the memory": lambda one: setattr(one, "taken", 110 * GB),
    "somebody started training": lambda one: by_hand(one, "training"),
    "somebody started omni": lambda one: by_hand(one, "omni"),
}
"""What happens after the kill, and stays so."""


def by_hand(one: SimulatedMachine, service: str) -> None:
    if one.of(service) is None:
        one.put(service, "created", id=f"{service}-by-hand")
    one.outside_start(service)


@pytest.mark.parametrize("misfortune", MISFORTUNES)
@pytest.mark.parametrize("scenario", [one for one in RECOVERED if one.fault == "none" and one[:2] in FEWER], ids=str)
def test_a_recovery_always_ends_and_the_second_never_says_what_the_first_one_said(
    scenario: Scenario, misfortune: str, tmp_path: Path
) -> None:
    start, ended = prepared(scenario, tmp_path), 0
    for one in killed(start, tmp_path, scenario.request):
        if journal_state(one.journal.records()).unfinished is None:
            continue  # it was killed before it began, or after its end
        one.sleep(LATE_SECONDS)  # what the engine was asked for has happened by then
        MISFORTUNES[misfortune](one)
        recovered(one, tmp_path)
        known = journal_state(one.journal.records())
        assert known.unfinished is None
        assert known.ended[-1].outcome in ("recovered", "failed")
        assert one.wrongs == []
        ended += 1
    assert ended > 0
