"""What all tests share: how long Hypothesis may search, and how processes side by side share the tests.

`make test` tries the same examples each time, `make test-deep` what is new.
"""

import gc
import signal
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from tests.deep import DEEP

settings.register_profile("spark-mode", deadline=None, print_blob=True, derandomize=not DEEP)
settings.load_profile("spark-mode")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # the tests run in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # and what they start hears Ctrl-C, as at a terminal

gc.set_threshold(400_000)  # what is simulated lives briefly: to collect it was a tenth of what the simulation takes

ENGINE = Path(__file__).parent / "engine"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave the tests to one process beside which no other may use the engine, and to one those that use a private engine."""
    if item.get_closest_marker("alone"):
        item.add_marker(pytest.mark.xdist_group("alone"))
    elif "engine" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.xdist_group("private engine"))


def pytest_collection_finish() -> None:
    """Look no more for garbage among what stays to the end: all modules and tests."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what is alone, which mostly waits, and beside it with what has engines of its own, and needs none.

    What one process does all of precedes the rest of its kind.
    """
    turns = ("alone", "engines of its own", "no engine", "engine")
    items.sort(key=lambda item: (turns.index(_turn(item)), item.get_closest_marker("xdist_group") is None))


def _turn(item: pytest.Item) -> str:
    if item.get_closest_marker("alone"):
        return "alone"
    if has_engines_of_its_own(item):
        return "engines of its own"
    return "engine" if _is_of_an_engine(item.path) else "no engine"


@cache
def _is_of_an_engine(path: Path) -> bool:
    return ENGINE in path.parents


def has_engines_of_its_own(item: pytest.Item) -> bool:
    """Say whether a test leaves the machine's engine to others, be they alone there."""
    return not {"engine", "whole_fleet"}.isdisjoint(getattr(item, "fixturenames", ()))
