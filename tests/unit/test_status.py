"""What deserves a look in the status: memory that creeps, a training that leaves the GPU idle."""

from collections.abc import Iterator

import pytest

from spark_mode.lab.size import GB
from spark_mode.reporting.status import SAMPLES, busy, notes
from spark_mode.reporting.status_model import ServiceStatus
from tests.simulation.lab import PROJECT, RULES
from tests.simulation.machine import NoGpu, SimulatedMachine


class Busy(NoGpu):
    """A GPU with these utilisations, one after the other."""

    def __init__(self, *percents: int) -> None:
        self._percents: Iterator[int] = iter(percents)

    def utilisation(self) -> int | None:
        return next(self._percents)


def service(grown: int | None) -> ServiceStatus:
    return ServiceStatus(
        service="omni", class_="audio", state="running", health="healthy", age=1.0, planned=8 * GB, measured=8 * GB, grown=grown
    )


@pytest.mark.parametrize(("grown", "noted"), [(GB, True), (GB // 2, False), (-GB, False), (None, False)])
def test_a_service_that_grew_by_a_tenth_of_its_plan_is_noted(grown: int | None, noted: bool) -> None:
    found = list(notes((service(grown),), None, ()))
    assert (found == ["omni holds 1.0 GB more than when it settled: look for a leak, or plan it larger"]) == noted
    assert bool(found) == noted


@pytest.mark.parametrize(("percent", "noted"), [(89, True), (90, False), (None, False)])
def test_a_training_that_stays_under_90_percent_is_noted(percent: int | None, noted: bool) -> None:
    assert bool(list(notes((), percent, ("tune",)))) == noted


def test_one_moment_of_rest_is_not_idleness() -> None:
    clock = SimulatedMachine(PROJECT, RULES, GB)
    assert busy(Busy(*[20] * (SAMPLES - 1), 97), clock) == 97
    assert busy(NoGpu(), clock) is None
