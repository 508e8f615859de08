"""A kill before and after every effect of every switch: one recovery leaves the lab in a mode, and there is nothing more to do.

Each switch is asked for with all that belongs to an intent: a question to agree to, a hold, and what follows a training. The
runs are counted: two for each effect of the uninterrupted run (killed before it, and before it while the engine still does
it a second later), one after the last, and in the same way for each effect of every recovery. After an effect is before
the next one: what a switch does between them leaves no trace. `make test-deep` tries all of that, `make test` one of the two at
each effect, in turn, between the modes that stand side by side in a round, and of what is hard besides some of its instants,
all over the switch.
"""

import json
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice, pairwise, product
from pathlib import Path
from typing import NamedTuple

import pytest

from spark_mode.errors import SparkModeError
from spark_mode.journal.journal import journal_state
from spark_mode.journal.records import Ended
from spark_mode.lab.size import GB
from spark_mode.planning.request import Request
from spark_mode.sharing.lock import NAME
from tests.deep import DEEP
from tests.in_memory import folder_in_memory
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
APART = 1 if DEEP else 3
"""Where the recovery is killed as well, or others do something meanwhile: each of how many kills of the switch is tried."""
FILLED = range(0, 2500, 250 if DEEP else 1000)
"""Bytes of a journal that is about to begin anew: how many records apart it does so."""
TORN = (0, 20, 10_000)
"""How many bytes that were not synced a power failure leaves: none, a part of a record, and all."""
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
AROUND = [REQUESTS[0], REQUESTS[5], REQUESTS[6], REQUESTS[2], REQUESTS[7], REQUESTS[0]]
"""All modes in a round, in which a speech model, training and its variant, and nothing stand beside each other."""
BESIDE = [*pairwise(AROUND), *pairwise(AROUND[::-1])]
TRIED = [pair for pair in PAIRS if DEEP or pair in FEWER or pair in BESIDE]
SCENARIOS = [Scenario(*pair, fault) for fault in FAULTS for pair in (TRIED if fault == "none" else FEWER)]
HARD = [one for one in SCENARIOS if one.fault == "none" and one[:2] in FEWER]
"""Those in which what goes wrong is harder than a fault: a full disk, no power, a next switch."""
RECOVERED = [one for one in SCENARIOS if one[:2] != NOTHING_TO_DO]


def is_nested(one: Scenario) -> bool:
    """Whether the recovery itself is killed as well: between two modes, and in `make test-deep` wherever a service crashes."""
    return (one.fault == "none" and one.former in NESTED and one.request in NESTED) or (
        one.fault == "crash" and (DEEP or one[:2] == NESTED)
    )


@cache
def in_modes(*requests: Request) -> SimulatedMachine:
    """Return a machine that was in one mode after the other, to be forked."""
    one = in_modes(*requests[:-1]).fork() if requests[1:] else machine()
    with folder_in_memory() as folder:
        ask(one, folder, requests[-1])
    return one


def prepared(scenario: Scenario) -> SimulatedMachine:
    """Return a machine in the former mode, on which the request will meet its fault."""
    one = in_modes(scenario.former).fork()
    if scenario.fault == "disk":
        one.disk_full_at = one.effects + FULL_AFTER
    elif scenario.fault != "none":
        trial = in_modes(scenario.former, scenario.request)
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
    return killed_during(start, folder, lambda one: attempt(one, folder, request, **options))


def killed_during(start: SimulatedMachine, folder: Path, act: Callable[[SimulatedMachine], object]) -> Iterator[SimulatedMachine]:
    """Yield the machine after each kill that an act can meet.

    The act is done once, and what a kill leaves is kept as it is right before each effect: kill -9 tidies nothing up. The last
    kill, after all effects, is a real one.
    """
    whole, at_first, left = start.fork(), files_in(folder), list[tuple[tuple[int, When], SimulatedMachine, dict[Path, bytes]]]()

    def keep(method: str, arguments: tuple[object, ...]) -> None:
        for when in tried_at(effect := whole.effects - 1):
            one = whole.fork()
            if when == "late":
                one.late_all(method, *arguments)
            left.append(((effect, when), one, files_in(folder)))

    whole.at_effect = keep
    act(whole)
    expected = kills(start, whole)
    assert [kill for kill, *_ in left] == expected[:-1]
    for _, one, files in left:
        put_back(files, folder)
        yield one
    for last in expected[-1:]:
        put_back(at_first, folder)
        require_killed(one := start.fork(), last, act)
        yield one


def require_killed(one: SimulatedMachine, kill_at: tuple[int, When], act: Callable[[SimulatedMachine], object]) -> None:
    """Kill an act, really."""
    one.kill_at = kill_at
    try:
        was_killed = act(one) is True
    except Killed:
        was_killed = True
    assert was_killed, f"nothing was killed: {kill_at}"
    one.kill_at = None


def files_in(folder: Path) -> dict[Path, bytes]:
    """Return the files of the locks and leases, which are real ones."""
    return {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def put_back(files: dict[Path, bytes], folder: Path) -> None:
    for path in files_in(folder).keys() - files.keys():
        path.unlink()
    for path, text in files.items():
        path.write_bytes(text)


def kills(start: SimulatedMachine, whole: SimulatedMachine) -> list[tuple[int, When]]:
    """Return every kill that a run from one state of the machine to another can meet."""
    effects = range(start.effects, whole.effects)
    last: list[tuple[int, When]] = [(effect, "after") for effect in effects[-1:]]
    return [(effect, when) for effect in effects for when in tried_at(effect)] + last


def tried_at(effect: int) -> tuple[When, ...]:
    """Return the kills that are tried at an effect: both, or one of them in turn."""
    return BEFORE if DEEP else (BEFORE[effect % 2],)


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


def ends(scenario: Scenario) -> list[dict[str, str | None]]:
    """Return what may run in the end: what ran before, and what was asked for."""
    return [in_modes(scenario.former).running(), in_modes(scenario.former, scenario.request).running()]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_one_recovery_settles_the_lab_whenever_the_switch_was_killed(scenario: Scenario, tmp_path: Path) -> None:
    start, legal = prepared(scenario), ends(scenario)
    runs = 0
    for one in killed(start, tmp_path, scenario.request):
        runs += 1
        recovered(one, tmp_path)
        require_settled(one, tmp_path, legal, scenario.request)
    assert runs > 1


@pytest.mark.parametrize("scenario", SCENARIOS if DEEP else HARD[1:2], ids=str)
def test_what_is_kept_right_before_an_effect_is_what_a_kill_there_leaves(scenario: Scenario, tmp_path: Path) -> None:
    """A recovery finds the same after both: so the switch need not be done again for each kill."""
    start = prepared(scenario)
    whole, files = start.fork(), files_in(tmp_path)
    attempt(whole, tmp_path, scenario.request)
    put_back(files, tmp_path)
    kept = zip(kills(start, whole), killed(start, tmp_path, scenario.request), strict=True)
    left = [(kill_at, found(one, tmp_path)) for kill_at, one in kept]
    for kill_at, before in left:
        one = start.fork()
        put_back(files, tmp_path)
        require_killed(one, kill_at, lambda one: attempt(one, tmp_path, scenario.request))
        assert found(one, tmp_path) == before, kill_at


def found(one: SimulatedMachine, folder: Path) -> list[object]:
    """Return all that a recovery finds, without what is another one each time: the time of day and the name of the switch."""
    sizes = [{name: len(text) for name, text in files.items()} for files in (one.files, one.synced)]
    lock = json.loads((folder / NAME).read_bytes() or b"null")
    said = lock and {name: value for name, value in lock.items() if name not in ("since", "progress", "doing", "waits")}
    return [one.acts, one.effects, one.time, one._containers, one._later, one.commands, len(one.lines), sizes, said]


@pytest.mark.parametrize("scenario", HARD, ids=str)
def test_one_recovery_settles_the_lab_whenever_the_disk_filled_up(scenario: Scenario, tmp_path: Path) -> None:
    """What ran before runs again, or what was asked for: a stop that could not be written down is not forgotten."""
    start, legal = prepared(scenario), ends(scenario)
    whole = start.fork()
    attempt(whole, tmp_path, scenario.request)
    for effect in range(start.effects, whole.effects, 1 if DEEP else 2):
        one = start.fork()
        one.disk_full_at = effect
        assert not attempt(one, tmp_path, scenario.request)
        recovered(one, tmp_path)
        require_settled(one, tmp_path, legal, scenario.request)


@pytest.mark.parametrize("scenario", [one for one in RECOVERED if is_nested(one)], ids=str)
def test_a_recovery_that_is_killed_is_finished_by_the_next(scenario: Scenario, tmp_path: Path) -> None:
    start, legal = prepared(scenario), ends(scenario)
    runs = 0
    for cut_off in islice(killed(start, tmp_path, scenario.request), 0, None, APART):
        cut_off.disk_full_at = None
        for one in killed(cut_off, tmp_path, None):
            runs += 1
            recovered(one, tmp_path)
            require_settled(one, tmp_path, legal, scenario.request)
    assert runs > 1


LONG = Ended(switch="r", at="now", by="eve", request="up f5", outcome="refused", seconds=0.1, note="x" * (JOURNAL_LIMIT - 2500))


@pytest.mark.parametrize("filled", FILLED)
def test_a_switch_that_is_killed_while_its_journal_begins_anew_is_recovered(filled: int, tmp_path: Path) -> None:
    """The journal is so long before the switch that it begins anew in its middle, each time at another record."""
    scenario = Scenario(MODES[1], MODES[2], "none")
    start, legal = prepared(scenario), ends(scenario)
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
    start = prepared(scenario)
    known = len(start.journal.records())
    for number, one in enumerate(killed(start, tmp_path, scenario.request)):
        for torn in TORN if DEEP else TORN[number % 3 :][:1]:
            off = one.fork()
            off.lose_power(torn)
            if one.acts != start.acts:
                assert len(off.journal.records()) > known, "the journal knows nothing of what was done"
            recovered(off, tmp_path)
            assert off.wrongs == []
            assert journal_state(off.journal.records()).unfinished is None
            acts = len(off.acts)
            assert recover(off, tmp_path).outcome == "unchanged"
            assert len(off.acts) == acts


@pytest.mark.parametrize("scenario", HARD, ids=str)
def test_the_next_switch_recovers_first_and_then_does_what_it_is_asked(scenario: Scenario, tmp_path: Path) -> None:
    start = prepared(scenario)
    there_and_back = in_modes(scenario.former, scenario.request, scenario.former)
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


UNFORTUNATE = [*product([one for one in RECOVERED if one.fault == "none" and one[:2] in FEWER], MISFORTUNES)]


@pytest.mark.parametrize(("scenario", "misfortune"), UNFORTUNATE if DEEP else UNFORTUNATE[::2], ids=str)
def test_a_recovery_always_ends_and_the_second_never_says_what_the_first_one_said(
    scenario: Scenario, misfortune: str, tmp_path: Path
) -> None:
    start, ended = prepared(scenario), 0
    for one in islice(killed(start, tmp_path, scenario.request), 0, None, APART):
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
