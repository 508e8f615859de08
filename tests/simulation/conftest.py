"""What several files of the simulation begin with."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from spark_mode.planning.request import ModeRequest
from tests.in_memory import folder_in_memory
from tests.simulation.lab import ask, machine
from tests.simulation.machine import SimulatedMachine


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory: the locks and leases, which are real files, are written at each look of a wait."""
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture
def both(tmp_path: Path) -> SimulatedMachine:
    """A machine on which training runs, and somebody has started omni beside it."""
    one = machine()
    ask(one, tmp_path, ModeRequest(mode="audio", profile="omni"))
    ask(one, tmp_path, ModeRequest(mode="training"))
    one.outside_start("omni")
    return one


@pytest.fixture
def in_the_foreground() -> Iterator[None]:
    """A shell has what it starts in the background ignore Ctrl-C; a switch does so then, too."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)
