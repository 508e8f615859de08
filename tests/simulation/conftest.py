"""What several files of the simulation begin with."""

from pathlib import Path

import pytest

from spark_mode.planning.request import ModeRequest
from tests.simulation.lab import ask, machine
from tests.simulation.machine import SimulatedMachine


@pytest.fixture
def both(tmp_path: Path) -> SimulatedMachine:
    """A machine on which training runs, and somebody has started omni beside it."""
    one = machine()
    ask(one, tmp_path, ModeRequest(mode="audio", profile="omni"))
    ask(one, tmp_path, ModeRequest(mode="training"))
    one.outside_start("omni")
    return one
