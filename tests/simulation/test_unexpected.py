"""Whatever a door raises, at any call, in any scenario: the lab is as before, or journal and exit code say that it is not.

The runs are counted: two for each call of each door in the undisturbed run, which raises instead of what it does, or after
it; and for each of them one in which every later call raises as well, the way back included. That is what `make test-deep`
tries. `make test` tries of the calls that a wait makes in the same place the first and the last, and of all that every fifth
one, and every ninth where every later call raises as well; in each scenario it begins with another one. Only instead of what
it does raises there a call that looks, after which nothing else has happened than before it, and the first one of all where
every later call raises as well.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from spark_mode.engine.doors import Compose
from spark_mode.errors import SparkModeError
from spark_mode.journal.journal import Journal, journal_state
from spark_mode.planning.request import ModeRequest, Request, RestoreRequest, StopRequest, UpRequest
from spark_mode.session.doors import Doors
from spark_mode.switching.report import SwitchOptions
from spark_mode.switching.transaction import Transaction
from tests.deep import DEEP
from tests.nobody import Nobody
from tests.simulation.engine import Killed
from tests.simulation.faulty_door import Calls
from tests.simulation.lab import REQUESTS, SimulatedSession, ask, machine
from tests.simulation.machine import ComposeOf, NoModels, SimulatedMachine

OMNI, XTTS, TRAINING, LARGE, STOP = REQUESTS[0], REQUESTS[2], REQUESTS[5], REQUESTS[6], REQUESTS[7]
UP, RESTORE = UpRequest(names=("whisper",)), RestoreRequest()
WITH = ModeRequest(mode="audio", profile="omni", extra=("llama3.1:8b",))
LOOKS = frozenset(
    (
        *(f"docker.{name}" for name in ("identity", "containers", "others", "container", "images", "networks", "volumes")),
        "docker.network_names",
        *(f"journal.{name}" for name in ("records", "history")),
        *("machine.memory", "clock.now", "hosts.loaded", "gpu.processes", "gpu.read", "gpu.utilisation"),
    )
)
"""The calls that change nothing."""
LAWFUL = {0, 1, 3, 4, 6, 7, 130}


class FaultySession(SimulatedSession):
    """A session all of whose doors are counted."""

    def __init__(self, on: SimulatedMachine, folder: Path, calls: Calls) -> None:
        super().__init__(on, folder)
        self._calls = calls
        self.docker, self.clock = calls.through(self.docker, "docker"), calls.through(self.clock, "clock")
        self.machine, self.gpu = calls.through(self.machine, "machine"), calls.through(self.gpu, "gpu")

    @property
    def journal(self) -> Journal:
        return self._calls.through(self.simulated.journal, "journal")

    def doors(self) -> Doors:
        compose: Compose = self._calls.through(ComposeOf(self.simulated), "compose")
        return Doors(
            docker=self.docker,
            compose=compose,
            machine=self.machine,
            gpu=self.gpu,
            hosts=lambda address: self._calls.through(NoModels(address), "hosts"),
            clock=self.clock,
        )


class Scenario(NamedTuple):
    """What ran, what is asked for then, None for a recovery, and the act after which the switch before it was killed."""

    former: tuple[Request, ...]
    request: Request | None
    killed_after: str | None = None
    fails: bool = False

    def __str__(self) -> str:
        cut_off = f", killed after {self.killed_after}" if self.killed_after else ""
        return f"{self.former[-1]}{cut_off} then {self.request or 'recover'}{', which fails' if self.fails else ''}"


SCENARIOS = [
    Scenario((OMNI,), TRAINING),
    Scenario((TRAINING,), OMNI),
    Scenario((TRAINING,), XTTS, fails=True),
    Scenario((XTTS,), OMNI),
    Scenario((TRAINING,), LARGE),
    Scenario((OMNI, TRAINING), RESTORE),
    Scenario((XTTS,), STOP),
    Scenario((XTTS,), StopRequest(names=("xtts",))),
    Scenario((OMNI,), UP),
    Scenario((TRAINING,), WITH),
    Scenario((OMNI,), OMNI),
    Scenario((OMNI, TRAINING), None, "compose stop omni"),
    Scenario((OMNI, TRAINING), None, "start training"),
    Scenario((OMNI, TRAINING), RESTORE, "start training"),
    Scenario((OMNI, TRAINING), XTTS, "compose stop omni"),
]


def prepared(scenario: Scenario, folder: Path) -> SimulatedMachine:
    one = machine()
    *former, last = scenario.former
    for request in former:
        ask(one, folder, request)
    if scenario.killed_after is None:
        ask(one, folder, last)
    else:
        one = killed(one, folder, last, scenario.killed_after)
    if scenario.fails and scenario.request:
        trial = one.fork()
        ask(trial, folder, scenario.request)
        one.fail_at, one.fault = max(index for index, act in enumerate(trial.acts) if act.startswith(("up ", "start "))), "crash"
    return one


def killed(start: SimulatedMachine, folder: Path, request: Request, act: str) -> SimulatedMachine:
    whole, of_the_act = start.fork(), list[int]()

    def look(*_: object) -> None:
        if whole.acts and whole.acts[-1].startswith(act):
            of_the_act.append(whole.effects - 1)

    whole.at_effect = look
    ask(whole, folder, request)
    one = start.fork()
    one.kill_at = (of_the_act[0], "after")
    with pytest.raises(Killed):
        ask(one, folder, request)
    one.kill_at = None
    return one


def attempted(on: SimulatedMachine, folder: Path, request: Request | None, calls: Calls) -> int:
    """Attempt a scenario, and return its exit code; what is no error of spark-mode's own would be a traceback."""
    how = SwitchOptions(yes=True, hold=request is not None and request.verb != "stop")
    transaction = Transaction(FaultySession(on, folder, calls), how, Nobody(), None)
    try:
        if request:
            transaction.switch(request)
        else:
            transaction.recover()
    except SparkModeError as error:
        assert error.message
        return error.exit_code
    return 0


def faulty(scenario: Scenario, folder: Path) -> Iterator[tuple[SimulatedMachine, SimulatedMachine, int, str]]:
    """Yield the machine before and after each attempt in which a call raised, or all from one on, the exit code, and the call."""
    start, calls = prepared(scenario, folder), Calls()
    attempted(start.fork(), folder, scenario.request, calls)
    for for_ever in (False, True):
        for index in indexes(calls, SCENARIOS.index(scenario), 9 if for_ever else 5):
            name = calls.names[index]
            for moment in ("instead", "after") if DEEP or not (for_ever or name in LOOKS) else ("instead",):
                one, faults = start.fork(), Calls(index, moment, for_ever)
                code = attempted(one, folder, scenario.request, faults)
                assert faults.raised, f"{name}, call {index}, was not made"
                yield start, one, code, f"{moment} {name}, call {index}{' and all later ones' if for_ever else ''}"


def indexes(calls: Calls, number: int, apart: int) -> Sequence[int]:
    """Return the indexes of the calls that raise, in the scenario with a number."""
    return range(len(calls.names)) if DEEP else calls.first_and_last_of_each_place()[number % apart :: apart]


def policies(on: SimulatedMachine) -> dict[str, str]:
    """Return the restart policies that containers have, or are owed by the journal."""
    owed = journal_state(on.journal.records()).policies
    there = [one for name in on.running() if (one := on.of(name))]
    return {one.name: owed[one.id].policy if one.id in owed else one.restart_policy for one in there}


def require_told(scenario: Scenario, start: SimulatedMachine, one: SimulatedMachine, code: int, what: str) -> None:
    """See that the lab is as before, or that journal and exit code say that it is not."""
    assert one.wrongs == [], what
    assert code in LAWFUL, what
    known = journal_state(one.journal.records())
    if one.running() == start.running() and policies(one) == policies(start):
        return
    if code in (6, 7):
        assert known.unfinished is not None or known.ended[-1].outcome in ("applied", "recovered"), what
    elif code == 1 and scenario.killed_after:  # what was cut off before it is recovered, and this one did nothing more
        assert known.unfinished is None, what
        assert known.ended[-1].outcome in ("recovered", "failed", "rolled-back"), what
    elif code == 1:
        assert scenario.request and scenario.request.verb == "stop", f"{what}: {one.acts}"
        assert known.ended[-1].outcome == "failed", what
    else:
        assert code == 0, f"{what}: {code}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_whatever_a_door_raises_the_lab_is_as_before_or_journal_and_exit_code_say_that_it_is_not(
    scenario: Scenario, tmp_path: Path
) -> None:
    runs = changed = 0
    for start, one, code, what in faulty(scenario, tmp_path):
        require_told(scenario, start, one, code, what)
        runs += 1
        changed += one.running() != start.running()
    sys.stdout.write(f"{scenario}: {runs} runs, {changed} of them ended in another state, which was said\n")
    assert runs > 0
