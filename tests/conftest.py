"""What all tests share: how long Hypothesis may search."""

import pytest
from hypothesis import settings

settings.register_profile("spark-mode", deadline=None, print_blob=True)
settings.load_profile("spark-mode")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of one engine in one process: those of the machine's engine, and those of the tests' own."""
    for item in items:
        if "engine" in item.path.parts:
            private = item.path.stem in ("test_broken_engine", "test_conformance")
            item.add_marker(pytest.mark.xdist_group("private engine" if private else "engine"))
